"""Wait for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SECONDS = 240.0  # for anything to happen, on a busy machine


def until(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Wait until a condition holds, and return its value."""
    latest = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < latest, "it never happened"
        time.sleep(0.05)
    return value
