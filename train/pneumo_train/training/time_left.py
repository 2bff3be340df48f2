"""How long the epochs that a run has left are likely to take, from those that it has done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from pneumo_train.recipe import Phase


def seconds_left(phases: Sequence[Phase], history: Sequence[Mapping[str, Any]], finished: Sequence[str] = ()) -> float:
    """Estimate the seconds that the rest of a run takes, if no phase stops early.

    An epoch takes as long as the median one of its phase, the first left out where there are others: it compiles the
    network too. An epoch of a phase that has none yet takes as long as one of the last phase that has, times the ratio
    of their pixels. How many layers each trains is not considered.

    Parameters
    ----------
    phases
        All phases of the run, in order.
    history
        One row for each epoch done, at least one, with its `phase` and `seconds`.
    finished
        Names of phases that are over, whether or not they had all their epochs.
    """
    left, per_pixel = 0.0, _seconds_per_pixel(phases, history)
    for phase in phases:
        took = [float(row["seconds"]) for row in history if row["phase"] == phase.name]
        if phase.name not in finished:
            an_epoch = _typical(took) if took else per_pixel * phase.image_size**2
            left += an_epoch * (phase.epochs - len(took))
    return left


def _seconds_per_pixel(phases: Sequence[Phase], history: Sequence[Mapping[str, Any]]) -> float:
    sizes = {phase.name: phase.image_size for phase in phases}
    latest = history[-1]["phase"]
    return _typical([float(row["seconds"]) for row in history if row["phase"] == latest]) / sizes[latest] ** 2


def _typical(seconds: Sequence[float]) -> float:
    return median(seconds[1:] or seconds)


def format_duration(seconds: float) -> str:
    """Write a duration to two units at most: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
