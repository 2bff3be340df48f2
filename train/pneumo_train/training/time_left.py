"""Estimate the time remaining for a run from the epochs that it has done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from pneumo_train.recipe import Phase


def seconds_left(phases: Sequence[Phase], history: Sequence[Mapping[str, Any]], finished: Sequence[str] = ()) -> float:
    """Estimate the time remaining for a run, in seconds, assuming that no phase stops early.

    An epoch is estimated by the median of the earlier epochs of its phase. The first one, which also compiles the
    network, is ignored if there are others. For a phase without epochs, the estimate of the latest phase is scaled by
    the number of pixels. The number of layers that a phase trains is not considered.

    Parameters
    ----------
    phases
        All phases of the run, in order.
    history
        One row per finished epoch with `phase` and `seconds`; at least one row.
    finished
        Names of the finished phases, including those that stopped early.
    """
    remaining, per_pixel = 0.0, _seconds_per_pixel(phases, history)
    for phase in phases:
        durations = [float(row["seconds"]) for row in history if row["phase"] == phase.name]
        if phase.name not in finished:
            per_epoch = _typical(durations) if durations else per_pixel * phase.image_size**2
            remaining += per_epoch * (phase.epochs - len(durations))
    return remaining


def _seconds_per_pixel(phases: Sequence[Phase], history: Sequence[Mapping[str, Any]]) -> float:
    sizes = {phase.name: phase.image_size for phase in phases}
    latest = history[-1]["phase"]
    return _typical([float(row["seconds"]) for row in history if row["phase"] == latest]) / sizes[latest] ** 2


def _typical(seconds: Sequence[float]) -> float:
    return median(seconds[1:] or seconds)


def format_duration(seconds: float) -> str:
    """Format a duration in at most two units: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
