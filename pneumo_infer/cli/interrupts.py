"""When an interrupt (Ctrl-C) takes effect."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

INTERRUPTED = 130  # as shells do


class EndAtOnce:
    """A signal handler for the time in which nothing is written: it ends the process.

    A KeyboardInterrupt would be lost, or become another error, in some of the modules that are imported meanwhile.
    """

    def __init__(self, program: str) -> None:
        self._message = f"\n{program}: interrupted; nothing was written\n".encode()

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        with suppress(OSError):
            os.write(2, self._message)
        os._exit(INTERRUPTED)


def end_at_once_if_interrupted(program: str) -> None:
    """End the process at an interrupt, unless interrupts are ignored, as in the background of a shell."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, EndAtOnce(program))


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt at an interrupt again, after `end_at_once_if_interrupted`."""
    if isinstance(signal.getsignal(signal.SIGINT), EndAtOnce):
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def holding_interrupts() -> Iterator[None]:
    """Delay an interrupt until the end of the block. Only for the main thread."""
    interrupted = False

    def record_interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True

    previous = signal.signal(signal.SIGINT, record_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if interrupted:
        raise KeyboardInterrupt
