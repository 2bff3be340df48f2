"""Make what several processes of a parallel test run share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


@contextmanager
def made_once(folder: Path) -> Iterator[bool]:
    """Whether this process is the one that fills a shared folder; the others wait until it is complete."""
    with FileLock(folder.with_suffix(".lock")):
        complete = folder.with_suffix(".complete")
        if not complete.exists():
            folder.mkdir(exist_ok=True)
        yield not complete.exists()
        complete.touch()
