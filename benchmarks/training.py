"""Does an epoch of training wait for its films? Ours beside Keras' own folder loader, in one process, in turns.

    python -m benchmarks.training --data chest_xray --data full_size

Needs the `train` extra. Both feed the same network: the first phase of a recipe, whose cheap steps leave a loader the
least time to hide in. The network alone, fed with one batch over and over, is what no loader can be faster than.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.films import films_under, megapixels
from benchmarks.record import Bound, Comparison, RatioOf, publish
from pneumo_train.quiet import quiet_import

CACHE, FOLDER, NETWORK = "the cache", "image_dataset_from_directory", "the network alone"
CACHE_ALONE, FOLDER_ALONE = "the cache, without the network", "image_dataset_from_directory, without the network"
HOW = (
    "Milliseconds a film in epochs of {films} films (of a smaller folder more than once), first phase of `{recipe}`, "
    "network with random weights; medians of {rounds} epochs of each after one that compiles. The network alone is fed "
    "with one batch over and over: no loader can be faster."
)


def main(
    data: Annotated[list[Path], typer.Option(help="Folders of films, each compared by itself.")],
    recipe: Annotated[str, typer.Option(help="Whose first phase is timed.")] = "finetune",
    films: Annotated[int, typer.Option(min=64, help="Films in each timed epoch.")] = 320,
    rounds: Annotated[int, typer.Option(min=3, help="Epochs of each kind.")] = 12,
    to: Annotated[Path | None, typer.Option(help="Where the figures go, as JSON.")] = None,
) -> None:
    """Time epochs from the cache and from the folder, and each without the network."""
    compared = [comparison for folder in data for comparison in compare_feeds(folder, recipe, films, rounds)]
    publish("training", HOW.format(films=films, recipe=recipe, rounds=rounds), compared, to)


def compare_feeds(data: Path, recipe: str, films: int, rounds: int) -> list[Comparison]:
    """Feed epochs in turns, and compare the medians."""
    with quiet_import():
        import keras
    keras.utils.set_random_seed(0)
    feeds = load_feeds(data, recipe, films)
    seconds: dict[str, list[float]] = {name: [] for name in feeds}
    for timed_round in range(rounds + 1):
        for name, feed in feeds.items():
            began = time.perf_counter()
            feed()
            if timed_round:  # the first compiles and warms up
                seconds[name].append(time.perf_counter() - began)
    medians = {name: 1000 * float(np.median(values)) / films for name, values in seconds.items()}
    size = f"films of {megapixels(films_under(data)):.2g} megapixels"

    def compare(ours: str, peer: str, ratio_of: RatioOf, bound: Bound | None = None) -> Comparison:
        return Comparison(f"{size}: {ours}", peer, medians[ours], medians[peer], "ms", ratio_of, bound)

    return [
        compare(CACHE, FOLDER, "peer / ours", ("at least", 1.5)),
        compare(CACHE, NETWORK, "ours / peer"),
        compare(CACHE_ALONE, FOLDER_ALONE, "peer / ours"),
    ]


def load_feeds(data: Path, recipe_name: str, films: int) -> dict[str, Callable[[], Any]]:
    """Build the network and the loaders; name to what one epoch of so many films does."""
    import keras
    import tensorflow as tf

    from pneumo_train.batches import FilmBatches
    from pneumo_train.dataset import index_films
    from pneumo_train.network import build_training_model, build_trunk, set_trainable
    from pneumo_train.pixels import decode_films
    from pneumo_train.recipe import read_recipe

    recipe = read_recipe(recipe_name)
    decoded = decode_films(data, index_films(data))
    targets = np.array([film.is_pneumonia for film in decoded.films], dtype=np.float32)
    rows = np.resize(np.random.default_rng(0).permutation(len(decoded.films)), films)
    batches = FilmBatches(decoded.pixels, targets, rows, recipe.fit.batch_size, shuffle_seed=0)
    folder = keras.utils.image_dataset_from_directory(
        data / "train" if (data / "train").is_dir() else data,
        label_mode="binary",
        color_mode="grayscale",
        image_size=(224, 224),
        batch_size=None,  # else the last batch of each pass would be smaller
        seed=0,
        verbose=False,
    )
    folder = folder.repeat().batch(recipe.fit.batch_size).take(len(batches)).prefetch(tf.data.AUTOTUNE)
    phase = recipe.phases[0]
    trunk = build_trunk("none", recipe.network)
    set_trainable(trunk, phase, pretrained=True)
    model = build_training_model(trunk, phase.augment or recipe.augment, phase, seed=0)
    model.compile(optimizer="adam", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    one = tf.data.Dataset.from_tensors(batches[0][:2]).repeat(len(batches))
    feeds: dict[str, Callable[[], Any]] = {
        CACHE: lambda: model.fit(batches, shuffle=False, verbose=0),
        FOLDER: lambda: model.fit(folder, shuffle=False, verbose=0),
        NETWORK: lambda: model.fit(one, shuffle=False, verbose=0),
        CACHE_ALONE: lambda: [batches[index] for index in range(len(batches))],
        FOLDER_ALONE: lambda: [None for _ in folder],
    }
    return feeds


if __name__ == "__main__":
    typer.run(main)
