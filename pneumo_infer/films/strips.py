"""Work on films in strips, so that intermediate results take little memory."""

from __future__ import annotations

from collections.abc import Iterator

STRIP_PIXELS = 2**20


def strips(width: int, height: int) -> Iterator[slice]:
    """Divide a film into strips of about a million pixels, and yield the rows of each."""
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
