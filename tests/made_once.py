"""Make what several processes of a parallel test run share."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
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


def in_a_process(function: Callable[..., object], *arguments: object) -> None:
    """Call a function in a process of its own, whose gigabytes are free again once it has ended."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0
