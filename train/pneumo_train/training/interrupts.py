"""Make sure that Ctrl-C ends a training."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import keras


class RaiseLostInterrupt(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises KeyboardInterrupt at the next batch if an interrupt had no effect."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt


@contextmanager
def keeping_interrupts() -> Iterator[RaiseLostInterrupt]:
    """Yield a Keras callback with which an interrupt (Ctrl-C) always ends the training in the block.

    Python ignores exceptions that are raised while an object is finalised, and TensorFlow finalises many objects at
    every step.
    """
    callback = RaiseLostInterrupt()

    def remember(_number: int, _frame: FrameType | None) -> None:
        callback.interrupted = True
        raise KeyboardInterrupt

    previous = signal.getsignal(signal.SIGINT)
    if previous is signal.default_int_handler:  # otherwise interrupts are ignored, or the caller handles them
        signal.signal(signal.SIGINT, remember)
    try:
        yield callback
    finally:
        signal.signal(signal.SIGINT, previous)
