"""Measure the gain of --mixed-precision: training steps in float32 and bfloat16, interleaved in one process.

    python -m benchmarks.bfloat16

Needs the `train` extra. Trains all layers of a ResNet50 with random weights on noise.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.record import Comparison, publish
from pneumo_train.import_quietly import import_quietly

HOW = (
    "Milliseconds per training step of ResNet50, all layers, {side} px, batches of {batch}, in bfloat16 (as with "
    "`--mixed-precision`) and float32, interleaved in one process; medians of {steps} steps each after two warm-up "
    "steps. The processor has {found}; load average before the run: {load:.1f}."
)


def main(
    side: Annotated[int, typer.Option(min=32, help="Height and width of the films, in pixels.")] = 128,
    batch: Annotated[int, typer.Option(min=1, help="Films per step.")] = 16,
    steps: Annotated[int, typer.Option(min=3, help="Timed steps per precision.")] = 8,
    to: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Time training steps in both precisions."""
    load = os.getloadavg()[0]
    with import_quietly():
        from pneumo_train.training.devices import BFLOAT16_FLAGS, processor_flags

    found = ", ".join(sorted(BFLOAT16_FLAGS & processor_flags())) or "no bfloat16"
    took = time_steps(side, batch, steps)
    how = HOW.format(side=side, batch=batch, steps=steps, found=found, load=load)
    ours, theirs = median(took["bfloat16"]), median(took["float32"])
    publish("bfloat16", how, [Comparison("bfloat16", "float32", ours, theirs, "ms", "peer / ours")], to)


def time_steps(side: int, batch: int, steps: int) -> dict[str, list[float]]:
    """Return the milliseconds of each step, by precision."""
    from pneumo_train.training.devices import computing

    models: dict[str, Any] = {}
    for precision in ("float32", "bfloat16"):
        with computing(precision == "bfloat16", "none"):
            models[precision] = _build(side)
    rng = np.random.default_rng(0)
    films = rng.random((batch, side, side, 3), dtype=np.float32)
    targets = np.arange(batch, dtype=np.float32)[:, None] % 2
    took: dict[str, list[float]] = {precision: [] for precision in models}
    for step in range(steps + 2):
        for precision, model in models.items():
            began = time.perf_counter()
            model.train_on_batch(films, targets)
            if step >= 2:
                took[precision].append(1000 * (time.perf_counter() - began))
    return took


def _build(side: int) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    trunk = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(side, side, 3), pooling="avg")
    model = keras.Sequential([trunk, keras.layers.Dense(1, dtype="float32")])
    model.compile(optimizer="adam", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    return model


if __name__ == "__main__":
    typer.run(main)
