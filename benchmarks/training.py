"""Does an epoch of training wait for its films? Ours beside Keras' own folder loader, in one process, in turns.

    python -m benchmarks.training --data chest_xray

Needs the `train` extra. Both feed the same network: the first phase of a recipe, whose cheap steps leave a loader the
least time to hide in. What counts is the ratio of the medians.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pneumo_train.quiet import quiet_import


def main(
    data: Annotated[Path, typer.Option(help="Folder with train/NORMAL and train/PNEUMONIA.")] = Path("chest_xray"),
    recipe: Annotated[str, typer.Option(help="Whose first phase is timed.")] = "finetune",
    films: Annotated[int, typer.Option(min=64, help="Films in each timed epoch.")] = 640,
    rounds: Annotated[int, typer.Option(min=3, help="Epochs of each kind.")] = 5,
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
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    print(f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} processors, {films} films")
    for name, median in medians.items():
        print(f"{name:44} {1000 * median / films:8.2f} ms a film {median / medians['an epoch from the cache']:8.3f}")


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
        "an epoch from the cache": lambda: model.fit(batches, shuffle=False, verbose=0),
        "an epoch from image_dataset_from_directory": lambda: model.fit(folder, shuffle=False, verbose=0),
        "the cache alone, no training": lambda: [batches[index] for index in range(len(batches))],
        "image_dataset_from_directory alone": lambda: [None for _ in folder],
    }


if __name__ == "__main__":
    typer.run(main)
