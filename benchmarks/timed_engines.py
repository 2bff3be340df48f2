"""Times engines in a process of their own, and prints the median milliseconds of each as JSON.

    python -m benchmarks.timed_engines runtimes models/pneumo-resnet50.keras FOLDER 60

`benchmarks.networks` asks for it, with a folder that holds the files it made.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import typer

from benchmarks.engines import (
    OURS,
    Engine,
    ours,
    with_keras,
    with_nncf,
    with_onnxruntime,
    with_openvino,
    with_torch,
)
from benchmarks.films import noise_films
from benchmarks.turns import take_turns


def open_runtimes(_model: Path, folder: Path) -> dict[str, Engine]:
    """Engines that only infer."""
    fp32 = folder / "fp32.onnx"
    return {**with_onnxruntime(fp32), **with_openvino(fp32), **with_nncf(folder)}


def open_tensorflow(model: Path, _folder: Path) -> dict[str, Engine]:
    """Keras and TensorFlow, which train, too."""
    from pneumo_train.model.trained import load_trained

    return with_keras(load_trained(model).keras_model)


def open_torch(_model: Path, _folder: Path) -> dict[str, Engine]:
    """PyTorch, whose LLVM and TensorFlow's abort a process that loads both."""
    return with_torch()


KINDS: dict[str, Callable[[Path, Path], dict[str, Engine]]] = {
    "runtimes": open_runtimes,
    "tensorflow": open_tensorflow,
    "torch": open_torch,
}


def main(kind: str, model: Path, folder: Path, rounds: int) -> None:
    """Let the engines of one kind and ours take turns."""
    engines = {OURS: ours(), **KINDS[kind](model, folder)}
    typer.echo(json.dumps(take_turns(engines, noise_films(rounds))))


if __name__ == "__main__":
    typer.run(main)
