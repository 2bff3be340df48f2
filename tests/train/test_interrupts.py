"""An interrupt ends a training even if Python drops the exception."""

from __future__ import annotations

import os
import signal

import keras
import numpy as np
import pytest

from pneumo_train.training.interrupts import keeping_interrupts


class InterruptedWhileFinalised:
    """An object that is interrupted in its finaliser, as happens with TensorFlow objects."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


class DropAt(keras.callbacks.Callback):  # type: ignore[misc]
    """Drop such an object at the third batch, and count batches."""

    begun = 0

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        self.begun += 1
        if self.begun == 3:
            dropped = InterruptedWhileFinalised()
            del dropped


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_ends_the_training() -> None:
    # A suite that a shell runs in the background inherits that interrupts are ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    drop = DropAt()
    try:
        with keeping_interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
            model.fit(np.zeros((100, 1)), np.zeros(100), batch_size=1, verbose=0, callbacks=[drop, interrupts])
        assert drop.begun == 3
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, handler)
