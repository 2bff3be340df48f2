"""Time the network alone in each engine, in several processes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import Bound, Comparison
from pneumo_infer.films.raster import Film
from pneumo_train.import_quietly import import_quietly
from pneumo_train.model.calibration import Scores

with import_quietly():
    import onnx_ir as ir

    from benchmarks.accuracy import Kept, hold_to_limits
    from benchmarks.engines import (
        INT8_PEERS,
        OURS,
        Engine,
        ours,
        quantise_with_nncf,
        with_nncf,
    )
    from benchmarks.timed_engines import KINDS
    from pneumo_export.convert import convert
    from pneumo_export.parity.run_onnx import run_output
    from pneumo_export.precisions.int8 import choose_calibration_rows
    from pneumo_train.data.batches import training_films
    from pneumo_train.evaluation.metrics import figures_at
    from pneumo_train.model.trained import load_trained
from pneumo_train.training.films import read_split


def compare_engines(model: Path, data: Path, rounds: int, processes: int) -> tuple[list[Comparison], dict[str, Any]]:
    """Time the packaged int8 file and each engine on noise films, and check all int8 networks against the same limits.

    The placement of threads and memory differs between processes and changes ratios by a few percent, hence the median
    over several processes. Training frameworks run in separate processes, because their threads and allocators slow
    down inference engines.

    Returns
    -------
    tuple
        The comparisons, and the values for the part on accuracy of the report.
    """
    source = load_trained(model)
    films = training_films(read_split(model.parent, data))
    calibration = films.pixels[choose_calibration_rows(films.rows["train"], source.description.recipe.split.seed)]
    threshold = source.description.default_point.threshold
    rows = films.rows["validation"]
    with tempfile.TemporaryDirectory() as folder:
        fp32 = Path(folder, "fp32.onnx")
        ir.save(convert(source.keras_model), fp32)
        quantise_with_nncf(fp32, calibration, Path(folder))
        timed = [_time_in_processes(kind, model, Path(folder), rounds, processes) for kind in KINDS]
        reference = run_output(fp32, "probability", films.pixels[rows])
        accuracies = [
            hold_to_limits(name, threshold, films.targets[rows], reference, _classify(engine, films.pixels[rows]))
            for name, engine in {OURS: ours(), **with_nncf(Path(folder))}.items()
        ]
    aims = set_aims({name: medians[name] / medians[OURS] for medians in timed for name in medians}, accuracies)
    comparisons = [
        Comparison("network alone", name, medians[OURS], medians[name], "ms", "peer / ours", aims.get(name))
        for medians in timed
        for name in medians
        if name != OURS
    ]
    accuracy = {
        "held_out": len(rows),
        "auc": figures_at(threshold, films.targets[rows], reference)["auc"],
        "kept": "; ".join(map(str, accuracies)),
    }
    return comparisons, accuracy


def set_aims(ratios: dict[str, float], held: list[Kept]) -> dict[str, Bound]:
    """Return the target ratios to the fastest fp32 engine and to the fastest int8 engine within the accuracy limits."""
    best = min((name for name in ratios if "fp32" in name), key=ratios.__getitem__)
    aims: dict[str, Bound] = {best: ("at least", 1.8)}
    accurate = [kept.name for kept in held if kept.within and kept.name in INT8_PEERS]
    if accurate:
        aims[min(accurate, key=ratios.__getitem__)] = ("at least", 1.0)
    return aims


def _time_in_processes(kind: str, model: Path, folder: Path, rounds: int, processes: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.timed_engines", kind, str(model), str(folder), str(rounds)]
    printed = [subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout for _ in range(processes)]
    timed = [json.loads(lines.splitlines()[-1]) for lines in printed]
    return {name: statistics.median(medians[name] for medians in timed) for name in timed[0]}


def _classify(engine: Engine, films: Film) -> Scores:
    """Return the probabilities of decoded films, classified one at a time."""
    return np.array([np.ravel(np.asarray(engine(film[None])[0]))[0] for film in films], np.float32)
