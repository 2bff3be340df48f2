"""Time engines interleaved, so that changes in the speed of the machine affect all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

WARM_UP = 5
PAUSE = 0.05  # seconds
Film = TypeVar("Film")


def time_interleaved(engines: Mapping[str, Callable[[Film], object]], films: Sequence[Film]) -> dict[str, float]:
    """Run engines on films, alternating after each film, and return the median milliseconds per film of each engine.

    The engine that starts rotates from film to film. Before each engine there is a pause, since spinning threads of the
    previous engine slow down the next one by half. Each film is classified twice and the second time is measured.
    """
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    names = list(engines)
    for number, film in enumerate([*films[:WARM_UP], *films]):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE)
            engines[name](film)
            began = time.perf_counter()
            engines[name](film)
            seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * float(np.median(values[WARM_UP:])) for name, values in seconds.items()}
