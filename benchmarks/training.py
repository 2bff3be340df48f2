"""Does an epoch of training wait for its films? Ours beside Keras' own folder loader, in one process, in turns.

    python -m benchmarks.training --data chest_xray

Needs the `train` extra. Both feed the same network: the first phase of a recipe, whose cheap steps leave a loader the
least time to hide in. What counts is the ratio of the medians.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.record import Comparison, publish
from pneumo_train.quiet import quiet_import

CACHE, FOLDER = "an epoch from the cache", "an epoch from image_dataset_from_directory"
CACHE_ALONE, FOLDER_ALONE = "the cache alone", "image_dataset_from_directory alone"
HOW = (
    "Epochs of {films} films of the first phase of `{recipe}`, the network with random weights; medians of {rounds} "
    "epochs of each after one that compiles. Alone, without the network, the cache gives a film in {cache:.2f} ms, the "
    "folder in {folder:.2f} ms."
)


def main(
    data: Annotated[Path, typer.Option(help="Folder with train/NORMAL and train/PNEUMONIA.")] = Path("chest_xray"),
    recipe: Annotated[str, typer.Option(help="Whose first phase is timed.")] = "finetune",
    films: Annotated[int, typer.Option(min=64, help="Films in each timed epoch.")] = 640,
    rounds: Annotated[int, typer.Option(min=3, help="Epochs of each kind.")] = 5,
    to: Annotated[Path | None, typer.Option(help="Where the figures go, as JSON.")] = None,
) -> None:
    """Time epochs from the cache and from the folder, and the cache alone."""
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
    how = HOW.format(
        films=films, recipe=recipe, rounds=rounds, cache=medians[CACHE_ALONE], folder=medians[FOLDER_ALONE]
    )
    compared = Comparison(CACHE, FOLDER, medians[CACHE], medians[FOLDER], "ms", "peer / ours", ("at least", 1.5))
    publish("training", how, [compared], to)


def load_feeds(data: Path, recipe_name: str, films: int) -> dict[str, Callable[[], Any]]:
    """Build the network and both loaders; name to what one epoch does."""
    import keras

    from pneumo_train.batches import FilmBatches
    from pneumo_train.dataset import index_films
    from pneumo_train.network import build_training_model, build_trunk, set_trainable
    from pneumo_train.pixels import decode_films
    from pneumo_train.recipe import read_recipe

    recipe = read_recipe(recipe_name)
    decoded = decode_films(data, index_films(data))
    targets = np.array([film.is_pneumonia for film in decoded.films], dtype=np.float32)
    rows = np.random.default_rng(0).permutation(len(decoded.films))[:films]
    batches = FilmBatches(decoded.pixels, targets, rows, recipe.fit.batch_size, shuffle_seed=0)
    folder = keras.utils.image_dataset_from_directory(
        data / "train",
        label_mode="binary",
        color_mode="grayscale",
        image_size=(224, 224),
        batch_size=recipe.fit.batch_size,
        seed=0,
        verbose=False,
    ).take(len(batches))
    phase = recipe.phases[0]
    trunk = build_trunk("none", recipe.network)
    set_trainable(trunk, phase, pretrained=True)
    model = build_training_model(trunk, phase.augment or recipe.augment, phase, seed=0)
    model.compile(optimizer="adam", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return {
        CACHE: lambda: model.fit(batches, shuffle=False, verbose=0),
        FOLDER: lambda: model.fit(folder, shuffle=False, verbose=0),
        CACHE_ALONE: lambda: [batches[index] for index in range(len(batches))],
        FOLDER_ALONE: lambda: [None for _ in folder],
    }


if __name__ == "__main__":
    typer.run(main)
