"""Does an epoch of training wait for its films? Ours beside Keras' own folder loader, in one process, in turns.

    python -m benchmarks.training --data chest_xray --data full_size

Needs the `train` extra. Both feed the same network: the first phase of a recipe, by default one that trains the head
alone, whose cheap steps leave a loader the least time to hide in. The network alone, fed with one batch over and over,
is what no loader can be faster than.
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

CACHE, FOLDER, NETWORK = "the cache", "image_dataset_from_directory", "the network alone"
FORWARDS = "its trunk, forwards"
CACHE_ALONE, FOLDER_ALONE = "the cache, without the network", "image_dataset_from_directory, without the network"
HOW = (
    "Milliseconds a film in epochs of {batches} batches (of a small folder's films more than once), first phase of "
    "`{recipe}`, network with random weights; means of {rounds} epochs of each after one that compiles. Means, since "
    "where TensorFlow tunes a dataset while it is read, as it does the folder's, an epoch may end only when the thread "
    "that tunes has slept out; the shortest epochs show the films' own time. The network alone is fed with one batch "
    "over and over, untuned: no loader can be faster. Most of it is the trunk's convolutions."
)


def main(
    data: Annotated[list[Path], typer.Option(help="Folders of films, each compared by itself.")],
    recipe: Annotated[str, typer.Option(help="Whose first phase is timed.")] = "frozen",
    batches: Annotated[int, typer.Option(min=4, help="Batches in each timed epoch.")] = 20,
    rounds: Annotated[int, typer.Option(min=3, help="Epochs of each kind.")] = 12,
    to: Annotated[Path | None, typer.Option(help="Where the figures go, as JSON.")] = None,
) -> None:
    """Time epochs from the cache and from the folder, and each without the network."""
    compared = [comparison for folder in data for comparison in compare_feeds(folder, recipe, batches, rounds)]
    publish("training", HOW.format(batches=batches, recipe=recipe, rounds=rounds), compared, to)


def compare_feeds(data: Path, recipe_name: str, batches: int, rounds: int) -> list[Comparison]:
    """Feed epochs in turns, and compare them."""
    with import_quietly():
        import keras
    from pneumo_train.recipe import read_recipe

    keras.utils.set_random_seed(0)
    recipe = read_recipe(recipe_name)
    feeds = load_feeds(data, recipe, batches)
    took: dict[str, list[float]] = {name: [] for name in feeds}
    for timed_round in range(rounds + 1):
        for name, feed in feeds.items():
            began = time.perf_counter()
            feed()
            if timed_round:  # the first compiles and warms up
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
    """Build the network and the loaders; name to what one epoch of so many batches does."""
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
    """The films of a folder as Keras reads them itself, over and over until there are so many batches."""
    import keras
    import tensorflow as tf

    films = keras.utils.image_dataset_from_directory(
        data / "train" if (data / "train").is_dir() else data,
        label_mode="binary",
        color_mode="grayscale",
        image_size=(224, 224),
        batch_size=None,  # else the last batch of each pass would be smaller
        seed=0,
        verbose=False,
    )
    return films.repeat().batch(batch_size).take(batches).prefetch(tf.data.AUTOTUNE)


if __name__ == "__main__":
    typer.run(main)
