"""The remaining time over all phases of a run."""

from __future__ import annotations

import pytest

from pneumo_train.recipe import Phase
from pneumo_train.training.time_left import format_duration, seconds_left

HEAD = Phase(name="head", train="head", epochs=2, learning_rate=0.001, batch_normalisation="frozen", image_size=100)
ALL = Phase(name="all", train="all", epochs=5, learning_rate=0.001, batch_normalisation="frozen", image_size=200)


def rows(phase: str, *seconds: float) -> list[dict[str, object]]:
    return [{"phase": phase, "seconds": took} for took in seconds]


def test_phases_to_come_count_by_their_pixels() -> None:
    assert seconds_left([HEAD, ALL], rows("head", 10)) == pytest.approx(10 + 5 * 40)


def test_the_epoch_that_compiles_does_not_count_once_there_are_others() -> None:
    history = rows("head", 60, 10) + rows("all", 100, 50, 70)
    assert seconds_left([HEAD, ALL], history, ["head"]) == pytest.approx(2 * 60)


def test_a_phase_that_stopped_early_has_nothing_left() -> None:
    assert seconds_left([ALL, HEAD], rows("all", 40), ["all"]) == pytest.approx(2 * 10)
    assert seconds_left([HEAD], rows("head", 10, 10), ["head"]) == 0


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (89 * 60, "89 min"), (5370, "1 h 30 min"), (7260, "2 h 01 min")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown
