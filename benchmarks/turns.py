"""Timing in turns, so that a change in the machine's speed meets every engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

WARM_UP = 5


def take_turns(engines: Mapping[str, Callable[[np.ndarray], object]], rounds: int) -> dict[str, float]:
    """Let engines read noise films one after the other, in turns; the median milliseconds a film of each."""
    films = np.random.default_rng(0).integers(0, 256, (rounds, 1, 224, 224, 1), dtype=np.uint8)
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for film in [*films[:WARM_UP], *films]:
        for name, engine in engines.items():
            began = time.perf_counter()
            engine(film)
            seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * float(np.median(values[WARM_UP:])) for name, values in seconds.items()}
