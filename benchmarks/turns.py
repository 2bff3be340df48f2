"""Timing in turns, so that a change in the machine's speed meets every engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

WARM_UP = 5
PAUSE = 0.05  # seconds
Film = TypeVar("Film")


def take_turns(engines: Mapping[str, Callable[[Film], object]], films: Sequence[Film]) -> dict[str, float]:
    """Let engines read films one after the other, in turns; the median milliseconds a film of each.

    Every engine goes first equally often. It waits until the threads of the engine before have stopped spinning, which
    slows whoever comes next by a half, and reads each film twice, of which the second is timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    names = list(engines)
    for turn, film in enumerate([*films[:WARM_UP], *films]):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE)
            engines[name](film)
            began = time.perf_counter()
            engines[name](film)
            seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * float(np.median(values[WARM_UP:])) for name, values in seconds.items()}
