"""Interrupts that are not lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import keras


class RaiseLostInterrupt(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises KeyboardInterrupt at the next batch where an interrupt that came has had no effect."""

    def __init__(self) -> None:
        super().__init__()
        self.came = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.came:
            raise KeyboardInterrupt


@contextmanager
def keeping_interrupts() -> Iterator[RaiseLostInterrupt]:
    """Give a callback for training within the block, which an interrupt (Ctrl-C) always ends.

    Python drops an exception that is raised while an object is finalised, as TensorFlow does with many at each step.
    """
    callback = RaiseLostInterrupt()

    def remember(_number: int, _frame: FrameType | None) -> None:
        callback.came = True
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else interrupts are ignored, or the caller's own business
        signal.signal(signal.SIGINT, remember)
    try:
        yield callback
    finally:
        signal.signal(signal.SIGINT, before)
