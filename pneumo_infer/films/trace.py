"""Record, step by step, how a film is read, for `pneumo-infer --explain`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_steps: ContextVar[list[str] | None] = ContextVar("steps", default=None)


def note(step: str) -> None:
    """Record a step, once, if this thread is in a `traced` block."""
    steps = _steps.get()
    if steps is not None and step not in steps:
        steps.append(step)


@contextmanager
def traced() -> Iterator[list[str]]:
    """Record the steps of the films that this thread reads within the block."""
    steps: list[str] = []
    token = _steps.set(steps)
    try:
        yield steps
    finally:
        _steps.reset(token)
