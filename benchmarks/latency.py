"""Milliseconds a film, batch 1, the network alone: Keras, fp32 and int8 in turn, in one process.

    python -m benchmarks.latency runs/NAME

Needs the `export` extra, and a run folder that was exported. The engines take turns film by film, so that a change in
the machine's speed meets all of them; what counts is the ratio of the medians.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.turns import take_turns
from pneumo_train.quiet import quiet_import


def main(
    run: Annotated[Path, typer.Argument(help="A run folder with model.keras and export/*.onnx.")],
    rounds: Annotated[int, typer.Option(min=5, help="Films that each engine reads.")] = 60,
) -> None:
    """Time each engine and print its median beside Keras' own."""
    engines = load_engines(run)
    medians = take_turns(engines, rounds)
    print(f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} processors, {rounds} films")
    for name, median in medians.items():
        print(f"{name:28} {median:7.1f} ms a film, {medians['Keras, compiled graph'] / median:5.2f} times Keras' speed")


def load_engines(run: Path) -> dict[str, Callable[[np.ndarray], object]]:
    """Load the same network into each engine."""
    with quiet_import():
        import keras
        import tensorflow as tf

    from pneumo_infer.session import open_session

    model = keras.models.load_model(run / "model.keras", compile=False)
    graph = tf.function(
        lambda film: model(film, training=False), input_signature=[tf.TensorSpec((1, 224, 224, 1), tf.uint8)]
    )
    engines: dict[str, Callable[[np.ndarray], object]] = {
        "Keras, predict": lambda film: model.predict(film, verbose=0),
        "Keras, compiled graph": lambda film: graph(film)["probability"].numpy(),
    }
    for path in sorted((run / "export").glob("*.onnx")):
        session, _ = open_session(path, "cpu")
        engines[f"onnxruntime, {path.stem[-4:]}"] = lambda film, session=session: session.run(None, {"image": film})
    return engines


if __name__ == "__main__":
    typer.run(main)
