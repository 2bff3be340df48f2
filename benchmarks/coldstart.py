"""Cold start: `pneumo-infer FILM` compared with a bare onnxruntime script and with Keras.

    python -m benchmarks.coldstart FILM.jpeg

Needs the `bench` extra. The bare script runs the same int8 file with onnxruntime, Pillow and numpy, as one would write
it by hand. It and `pneumo-infer` run in a fresh environment with only `pneumo-infer[cpu]`. Keras loads the `.keras`
file of the same model. Each run is a separate process, and runs of the three are interleaved.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.environments import OURS, fresh_environment
from benchmarks.record import Comparison, publish
from pneumo_infer.cli.command import SAMPLES
from pneumo_infer.model.info import packaged_models

KERAS_MODEL = Path(__file__).parents[1] / "models" / "pneumo-resnet50.keras"
BARE = """
import sys
import numpy as np
import onnxruntime
from PIL import Image
film = Image.open(sys.argv[2]).convert("L").resize((224, 224), Image.Resampling.BILINEAR)
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
print(session.run(["probability"], {"image": np.asarray(film)[None, :, :, None]})[0][0])
"""
KERAS = """
import sys
import keras
import numpy as np
from PIL import Image
film = Image.open(sys.argv[2]).convert("L").resize((224, 224), Image.Resampling.BILINEAR)
model = keras.models.load_model(sys.argv[1], compile=False)
print(model.predict(np.asarray(film)[None, :, :, None], verbose=0)["probability"][0, 0])
"""
HOW = (
    "Each command runs as a separate process, timed from start to exit; memory is the peak resident memory reported by "
    "the kernel. Medians of {rounds} interleaved runs ({keras_rounds} for Keras) after one warm-up run."
)


def main(
    film: Annotated[Path, typer.Argument(help="The film to classify.")] = SAMPLES / "pneumonia.png",
    rounds: Annotated[int, typer.Option(min=3, help="Runs of pneumo-infer and of the bare script.")] = 20,
    keras_rounds: Annotated[int, typer.Option(min=1, help="Runs of Keras, which is slow.")] = 5,
    to: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Time the three commands and publish the ratios."""
    with fresh_environment(OURS) as folder:
        bare, keras = folder / "bare.py", folder / "with_keras.py"
        bare.write_text(BARE, encoding="utf-8")
        keras.write_text(KERAS, encoding="utf-8")
        commands = {
            "pneumo-infer": [str(folder / "bin" / "pneumo-infer"), str(film)],
            "bare script": [str(folder / "bin" / "python"), str(bare), str(packaged_models()["cpu"]), str(film)],
            "Keras": [sys.executable, str(keras), str(KERAS_MODEL), str(film)],
        }
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                if name != "Keras" or number <= keras_rounds:
                    measured = run_once(command)
                    if number:  # the first run fills the disk cache
                        runs[name].append(measured)
    compared = _compare(runs)
    publish("coldstart", HOW.format(rounds=rounds, keras_rounds=keras_rounds), compared, to)


def _compare(runs: dict[str, list[tuple[float, float]]]) -> list[Comparison]:
    seconds = {name: statistics.median(wall for wall, _ in values) for name, values in runs.items()}
    memory = {name: statistics.median(peak for _, peak in values) for name, values in runs.items()}
    (ours, bare, keras), (our_peak, bare_peak, keras_peak) = seconds.values(), memory.values()
    return [
        Comparison("wall time", "bare script", ours, bare, "s", "ours / peer", ("at most", 1.15)),
        Comparison("peak memory", "bare script", our_peak, bare_peak, "MiB", "ours / peer", ("at most", 1.15)),
        Comparison("wall time", "Keras", ours, keras, "s", "peer / ours", ("at least", 18)),
        Comparison("peak memory", "Keras", our_peak, keras_peak, "MiB", "peer / ours"),
    ]


def run_once(command: list[str]) -> tuple[float, float]:
    """Run a command and return its wall time in seconds and its peak resident memory in MiB."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, usage.ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
