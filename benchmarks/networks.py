"""The network alone in every engine, timed in several processes."""

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
    import onnx

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
    from pneumo_export.parity.run_onnx import run_file
    from pneumo_export.precisions.int8 import choose_calibration_rows
    from pneumo_train.evaluation.metrics import figures_at
    from pneumo_train.model.trained import load_trained
    from pneumo_train.training.run import read_split, training_films


def compare_engines(model: Path, data: Path, rounds: int, processes: int) -> tuple[list[Comparison], dict[str, Any]]:
    """Time int8 as it ships beside every engine, one noise film after the other, and hold all int8 to the same limits.

    How threads and memory come to lie is another in each process, and moves engines against each other by some
    percent; so the medians of several are taken. Frameworks that train are timed in processes apart from those that
    only infer, which their threads and allocators slow.

    Returns
    -------
    tuple
        The comparisons, of which the aim for int8 is set beside the fastest that stays within the limits; and what
        there is to say of accuracy.
    """
    source = load_trained(model)
    films = training_films(read_split(model.parent, data))
    calibration = films.pixels[choose_calibration_rows(films.rows["train"], source.description.recipe.split.seed)]
    threshold = source.description.default_point.threshold
    rows = films.rows["validation"]
    with tempfile.TemporaryDirectory() as folder:
        fp32 = Path(folder, "fp32.onnx")
        onnx.save(convert(source.keras_model), fp32)
        quantise_with_nncf(fp32, calibration, Path(folder))
        timed = [_time_in_processes(kind, model, Path(folder), rounds, processes) for kind in KINDS]
        reference = run_file(fp32, "probability", films.pixels[rows])
        held = [
            hold_to_limits(name, threshold, films.targets[rows], reference, _ask(engine, films.pixels[rows]))
            for name, engine in {OURS: ours(), **with_nncf(Path(folder))}.items()
        ]
    aims = set_aims({name: medians[name] / medians[OURS] for medians in timed for name in medians}, held)
    comparisons = [
        Comparison("network alone", name, medians[OURS], medians[name], "ms", "peer / ours", aims.get(name))
        for medians in timed
        for name in medians
        if name != OURS
    ]
    accuracy = {
        "held_out": len(rows),
        "auc": figures_at(threshold, films.targets[rows], reference)["auc"],
        "kept": "; ".join(map(str, held)),
    }
    return comparisons, accuracy


def set_aims(ratios: dict[str, float], held: list[Kept]) -> dict[str, Bound]:
    """What is aimed at beside the fastest in fp32, and beside the fastest in int8 that stays within the limits."""
    best = min((name for name in ratios if "fp32" in name), key=ratios.__getitem__)
    aims: dict[str, Bound] = {best: ("at least", 1.8)}
    equals = [kept.name for kept in held if kept.within and kept.name in INT8_PEERS]
    if equals:
        aims[min(equals, key=ratios.__getitem__)] = ("at least", 1.0)
    return aims


def _time_in_processes(kind: str, model: Path, folder: Path, rounds: int, processes: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.timed_engines", kind, str(model), str(folder), str(rounds)]
    printed = [subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout for _ in range(processes)]
    timed = [json.loads(lines.splitlines()[-1]) for lines in printed]
    return {name: statistics.median(medians[name] for medians in timed) for name in timed[0]}


def _ask(engine: Engine, films: Film) -> Scores:
    """The probabilities of decoded films, asked for one by one."""
    return np.array([np.ravel(np.asarray(engine(film[None])[0]))[0] for film in films], np.float32)
