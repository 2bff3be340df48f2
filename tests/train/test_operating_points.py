"""Operating points are in order and reach their targets for any model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from pneumo_train.evaluation.metrics import choose_operating_points

JUST_BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
PROBABILITIES = st.one_of(
    st.floats(0, 1, width=32, allow_subnormal=False), st.sampled_from([0.0, 1e-30, 0.5, JUST_BELOW_ONE, 1.0])
)


@st.composite
def films_and_views(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    normal, pneumonia, views = draw(st.integers(1, 30)), draw(st.integers(1, 30)), draw(st.integers(1, 4))
    targets = np.array([0] * normal + [1] * pneumonia, np.float32)
    return targets, draw(st_numpy.arrays(np.float32, (views, len(targets)), elements=PROBABILITIES))


@settings(deadline=None, max_examples=300)
@given(films_and_views())
def test_points_are_in_order_for_any_model(given_films: tuple[np.ndarray, np.ndarray]) -> None:
    targets, views = given_films
    points = choose_operating_points(targets, views, "films")
    screening, balanced, specific = (points[name] for name in ("screening", "balanced", "specific"))
    assert 0 <= screening["threshold"] <= balanced["threshold"] <= specific["threshold"] <= 1
    assert screening["sensitivity"] >= 0.99
    assert screening["sensitivity"] >= balanced["sensitivity"] >= specific["sensitivity"]
    assert screening["specificity"] <= balanced["specificity"] <= specific["specificity"]
    if specific["specificity"] < 0.99:  # only where the highest probability of all is that of too many NORMAL films
        highest = views.max()
        assert (views[:, targets == 0] == highest).mean() > 0.01
        assert specific["specificity"] == pytest.approx((views[:, targets == 0] < highest).mean())


def test_specific_is_never_below_a_balanced_point_that_is_specific_enough() -> None:
    normal, pneumonia = np.linspace(0.001, 0.1, 200), np.linspace(0.8, 0.999, 200)
    targets = np.repeat(np.float32([0, 1]), 200)
    points = choose_operating_points(targets, np.concatenate([normal, pneumonia])[None].astype(np.float32), "films")
    # 0.99 of the specificity is reached among the NORMAL films already, far below the balanced point.
    assert points["specific"]["threshold"] == points["balanced"]["threshold"] > 0.1


def test_a_model_that_ranks_backwards() -> None:
    targets = np.repeat(np.float32([0, 1]), 50)
    points = choose_operating_points(targets, np.linspace(0.99, 0.01, 100, dtype=np.float32)[None], "films")
    # A specificity of 0.98 is the most that calls a film at all.
    assert points["specific"]["specificity"] == pytest.approx(0.98)
    assert points["screening"]["sensitivity"] == 1.0
