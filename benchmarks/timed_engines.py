"""Time engines in this process, and print the median milliseconds of each as JSON.

    python -m benchmarks.timed_engines runtimes models/pneumo-resnet50.keras FOLDER 60

`benchmarks.networks` runs this with a folder that contains the converted files.
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
from benchmarks.interleaved import time_interleaved


def open_runtimes(_model: Path, folder: Path) -> dict[str, Engine]:
    """Return the engines for inference only."""
    fp32 = folder / "fp32.onnx"
    return {**with_onnxruntime(fp32), **with_openvino(fp32), **with_nncf(folder)}


def open_tensorflow(model: Path, _folder: Path) -> dict[str, Engine]:
    """Return Keras and TensorFlow, which are training frameworks."""
    from pneumo_train.model.trained import load_trained

    return with_keras(load_trained(model).keras_model)


def open_torch(_model: Path, _folder: Path) -> dict[str, Engine]:
    """Return PyTorch, separately because a process that loads the LLVM of PyTorch and of TensorFlow aborts."""
    return with_torch()


KINDS: dict[str, Callable[[Path, Path], dict[str, Engine]]] = {
    "runtimes": open_runtimes,
    "tensorflow": open_tensorflow,
    "torch": open_torch,
}


def main(kind: str, model: Path, folder: Path, rounds: int) -> None:
    """Time our engine and those of one kind, interleaved."""
    engines = {OURS: ours(), **KINDS[kind](model, folder)}
    typer.echo(json.dumps(time_interleaved(engines, noise_films(rounds))))


if __name__ == "__main__":
    typer.run(main)
