"""Does training wait for its films? The film cache compared with Keras' folder loader, interleaved.

    python -m benchmarks.training --data chest_xray --data full_size

Needs the `train` extra. Both feed the same network in the first phase of a recipe. The default recipe trains only the
head; its steps are short, so loading is harder to hide. The network alone, fed with one repeated batch, is the lower
bound for any loader.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from benchmarks.films import films_under, megapixels
from benchmarks.record import Bound, Comparison, RatioOf, publish
from pneumo_train.import_quietly import import_quietly

if TYPE_CHECKING:
    from pneumo_train.recipe import Recipe

CACHE, FOLDER, NETWORK = "cache", "image_dataset_from_directory", "network alone"
FORWARDS = "trunk alone, forward pass"
CACHE_ALONE, FOLDER_ALONE = "cache without network", "image_dataset_from_directory without network"
HOW = (
    "Milliseconds per film in epochs of {batches} batches (small folders are repeated), first phase of `{recipe}`, "
    "random weights; means of {rounds} epochs each after one warm-up epoch. Means are used because TensorFlow "
    "autotunes the dataset of the folder, and such an epoch sometimes ends only when the tuning thread wakes up; the "
    "shortest epochs show the time of the films themselves. `network alone` repeats one batch without autotuning, so "
    "no loader can be faster; most of its time goes into the convolutions of the trunk."
)


def main(
    data: Annotated[list[Path], typer.Option(help="Folder of films; repeatable, each is compared separately.")],
    recipe: Annotated[str, typer.Option(help="Recipe whose first phase is timed.")] = "frozen",
    batches: Annotated[int, typer.Option(min=4, help="Batches per timed epoch.")] = 20,
    rounds: Annotated[int, typer.Option(min=3, help="Timed epochs of each kind.")] = 12,
    to: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Time epochs fed from the cache and from the folder, with and without the network."""
    compared = [comparison for folder in data for comparison in compare_feeds(folder, recipe, batches, rounds)]
    publish("training", HOW.format(batches=batches, recipe=recipe, rounds=rounds), compared, to)


def compare_feeds(data: Path, recipe_name: str, batches: int, rounds: int) -> list[Comparison]:
    """Time interleaved epochs of each feed and compare them."""
    with import_quietly():
        import keras
    from pneumo_train.recipe_files import read_recipe

    keras.utils.set_random_seed(0)
    recipe = read_recipe(recipe_name)
    feeds = load_feeds(data, recipe, batches)
    took: dict[str, list[float]] = {name: [] for name in feeds}
    for timed_round in range(rounds + 1):
        for name, feed in feeds.items():
            began = time.perf_counter()
            feed()
            if timed_round:  # the first one compiles and warms up
                took[name].append(1000 * (time.perf_counter() - began) / (batches * recipe.fit.batch_size))
    size = f"films of {megapixels(films_under(data)):.2g} megapixels"

    def compare(
        ours: str, peer: str, ratio_of: RatioOf, bound: Bound | None = None, of: Callable[[list[float]], float] = fmean
    ) -> Comparison:
        shown = f"{size}: {ours}" + (", shortest epoch" if of is min else "")
        return Comparison(shown, peer, of(took[ours]), of(took[peer]), "ms", ratio_of, bound)

    return [
        compare(CACHE, FOLDER, "peer / ours", ("at least", 1.5)),
        compare(CACHE, FOLDER, "peer / ours", of=min),
        compare(NETWORK, FOLDER, "peer / ours"),
        compare(CACHE, NETWORK, "ours / peer"),
        compare(NETWORK, FORWARDS, "ours / peer", of=min),
        compare(CACHE_ALONE, FOLDER_ALONE, "peer / ours", of=min),
    ]


def load_feeds(data: Path, recipe: Recipe, batches: int) -> dict[str, Callable[[], Any]]:
    """Build the network and the loaders, and return a function that runs one epoch for each name."""
    import keras
    import tensorflow as tf

    from pneumo_infer.films.preprocess import NETWORK_SIZE
    from pneumo_train.data.batches import FilmBatches
    from pneumo_train.data.decode import decode_films
    from pneumo_train.data.index import index_films
    from pneumo_train.model.network import build_training_model, build_trunk, set_trainable

    decoded = decode_films(data, index_films(data))
    targets = np.array([film.is_pneumonia for film in decoded.films], dtype=np.float32)
    shuffled = np.random.default_rng(0).permutation(len(decoded.films))
    rows = np.resize(shuffled, batches * recipe.fit.batch_size)
    cached = FilmBatches(decoded.pixels, targets, rows, shuffle_seed=0, batch_size=recipe.fit.batch_size)
    phase = recipe.phases[0]
    trunk = build_trunk("none", recipe.network, phase.image_size)
    set_trainable(trunk, phase, pretrained=True)
    model = build_training_model(trunk, recipe.augment, phase, seed=0)
    model.compile(optimizer="adam", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    noise = tf.random.uniform((recipe.fit.batch_size, NETWORK_SIZE, NETWORK_SIZE, 1), maxval=255)
    forwards = tf.function(partial(trunk, noise, training=False))
    folder = _read_folder(data, recipe.fit.batch_size, batches)
    one = tf.data.Dataset.from_tensors(cached[0]).repeat(batches).with_options(untuned)
    return {
        CACHE: lambda: model.fit(cached.feed(), shuffle=False, verbose=0),
        FOLDER: lambda: model.fit(folder, shuffle=False, verbose=0),
        NETWORK: lambda: model.fit(one, shuffle=False, verbose=0),
        FORWARDS: lambda: [forwards() for _ in range(batches)],
        CACHE_ALONE: lambda: [cached[index] for index in range(batches)],
        FOLDER_ALONE: lambda: [None for _ in folder],
    }


def _read_folder(data: Path, batch_size: int, batches: int) -> Any:
    """Return the films of a folder as Keras reads them, repeated to the given number of batches."""
    import keras
    import tensorflow as tf

    films = keras.utils.image_dataset_from_directory(
        data / "train" if (data / "train").is_dir() else data,
        label_mode="binary",
        color_mode="grayscale",
        image_size=(224, 224),
        batch_size=None,  # otherwise the last batch of each pass would be smaller
        seed=0,
        verbose=False,
    )
    return films.repeat().batch(batch_size).take(batches).prefetch(tf.data.AUTOTUNE)


if __name__ == "__main__":
    typer.run(main)
