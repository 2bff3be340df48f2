"""Measure the effect of keeping freed memory on training: malloc as set by `pneumo-train`, and glibc's defaults.

    python -m benchmarks.kept_memory

Needs the `train` extra. Each run trains one phase of a recipe on noise films. It is a separate process, since settings
of malloc cannot be undone; runs of both kinds are interleaved.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.record import Comparison, publish
from pneumo_train.import_quietly import import_quietly
from pneumo_train.malloc_tuning import keep_freed_memory

app = typer.Typer(add_completion=False)
OURS, PEER = "kept", "returned"
HOW = (
    "Milliseconds per film in an epoch of {batches} batches after one warm-up epoch; phase `{phase}` of `{recipe}`, "
    "noise films, random weights. Memory is the peak resident memory reported by the kernel. Medians of {rounds} "
    "interleaved processes of each kind."
)


@app.callback(invoke_without_command=True)
def compare(
    context: typer.Context,
    recipe: Annotated[str, typer.Option(help="Recipe to time.")] = "finetune",
    phase: Annotated[int, typer.Option(min=0, help="Index of its phase.")] = 0,
    batches: Annotated[int, typer.Option(min=4, help="Batches per epoch.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="Processes of each kind.")] = 3,
    to: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Train in processes of both kinds and publish the ratios."""
    if context.invoked_subcommand:
        return
    found: dict[str, list[tuple[float, float]]] = {OURS: [], PEER: []}
    for _ in range(rounds):
        for kind, figures in found.items():
            command = [sys.executable, "-m", "benchmarks.kept_memory", "train", kind, recipe, str(phase), str(batches)]
            figures.append(tuple(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)))
    (ours, our_peak), (theirs, their_peak) = (
        [statistics.median(f) for f in zip(*found[k], strict=True)] for k in found
    )
    from pneumo_train.recipe_files import read_recipe

    publish(
        "kept_memory",
        HOW.format(batches=batches, phase=read_recipe(recipe).phases[phase].name, recipe=recipe, rounds=rounds),
        [
            Comparison("epoch, freed memory kept", "freed memory returned", ours, theirs, "ms", "peer / ours"),
            Comparison(
                "peak memory, freed memory kept", "freed memory returned", our_peak, their_peak, "MiB", "ours / peer"
            ),
        ],
        to,
    )


@app.command()
def train(kind: str, recipe: str, phase: int, batches: int) -> None:
    """Train in this process; print milliseconds per film and the peak memory in MiB as JSON."""
    if kind == OURS and not keep_freed_memory():
        raise SystemExit("needs glibc, and no malloc settings in the environment")
    milliseconds = _time_epoch(recipe, phase, batches)
    typer.echo(json.dumps([milliseconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def _time_epoch(recipe_name: str, number: int, batches: int) -> float:
    with import_quietly():
        import keras
    from pneumo_train.data.batches import FilmBatches
    from pneumo_train.model.network import build_training_model, build_trunk, set_trainable
    from pneumo_train.recipe_files import read_recipe

    recipe = read_recipe(recipe_name)
    phase = recipe.phases[number]
    keras.utils.set_random_seed(0)
    films = batches * recipe.fit.batch_size
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (films, 224, 224, 1), dtype=np.uint8)
    targets = rng.integers(0, 2, films).astype(np.float32)
    trunk = build_trunk("none", recipe.network, phase.image_size)
    set_trainable(trunk, phase, pretrained=True)
    model = build_training_model(trunk, recipe.augment, phase, seed=0)
    model.compile(optimizer="adam", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    feed = FilmBatches(pixels, targets, np.arange(films), shuffle_seed=0, batch_size=recipe.fit.batch_size).feed()
    model.fit(feed, shuffle=False, verbose=0)
    began = time.perf_counter()
    model.fit(feed, shuffle=False, verbose=0)
    return 1000 * (time.perf_counter() - began) / films


if __name__ == "__main__":
    app()
