"""An interrupt waits for the end of what must not be cut short."""

from __future__ import annotations

import os
import signal

import pytest

from pneumo_infer.cli.interrupts import holding_interrupts


def test_an_interrupt_takes_effect_at_the_end_of_the_block() -> None:
    before = signal.getsignal(signal.SIGINT)
    ended = []

    def work() -> None:
        with holding_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert ended
    assert signal.getsignal(signal.SIGINT) is before


def test_without_an_interrupt_the_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with holding_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
