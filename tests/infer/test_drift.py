"""The drift check: what it sees, what it rightly does not, and how seldom chance alone alarms it."""

from __future__ import annotations

import json
import math
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, chi2

from pneumo_infer.drift.comparison import (
    FALSE_ALARMS,
    LARGE_SHIFT,
    LEAST_FILMS,
    TOLERATED_SHARE,
    Drift,
    Verdict,
    compare,
)
from pneumo_infer.drift.reference import Histogram, Reference, measure_reference

LIMIT = 19.0
Answers: TypeAlias = "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]"


def answers(rng: np.random.Generator, films: int, pneumonia: float) -> Answers:
    """Draw what a network that tells the classes well apart would answer: probabilities, distances, classes."""
    ill = rng.random(films) < pneumonia
    logits = np.where(ill, rng.normal(5, 2, films), rng.normal(-3.5, 1.5, films))
    return 1 / (1 + np.exp(-logits)), rng.gamma(100, np.where(ill, 0.156, 0.150)), ill


def reference(seed: int = 0, films: int = 526) -> Reference:
    return measure_reference(*answers(np.random.default_rng(seed), films, 0.74), LIMIT)


def check(probabilities: NDArray[np.float64], distances: NDArray[np.float64], seed: int = 0) -> Drift:
    return compare(probabilities, distances, reference(seed), LIMIT)


def failed(drift: Drift) -> list[str]:
    return [name for name, measure in drift.measures.items() if not measure.passed]


def test_the_validation_films_are_like_themselves() -> None:
    probabilities, distances, ill = answers(np.random.default_rng(0), 526, 0.74)
    drift = check(probabilities, distances)
    assert drift.verdict is Verdict.LIKE
    assert drift.measures["out_of_domain"].value == reference().out_of_domain / 526
    assert drift.measures["domain_distance"].value < 0.001
    assert drift.measures["probability"].value < 0.001
    assert drift.pneumonia_share == pytest.approx(ill.mean(), abs=0.01)


@pytest.mark.parametrize("pneumonia", [0.0, 0.1, 0.5, 1.0])
def test_another_share_of_pneumonia_is_no_drift(pneumonia: float) -> None:
    probabilities, distances, _ = answers(np.random.default_rng(1), 1000, pneumonia)
    drift = check(probabilities, distances)
    assert drift.verdict is Verdict.LIKE
    assert drift.pneumonia_share == pytest.approx(pneumonia, abs=0.05)


@pytest.mark.parametrize("films", [LEAST_FILMS, 150, 1000])
@pytest.mark.parametrize("pneumonia", [0.05, 0.3, 0.74])
def test_chance_seldom_alarms_it(films: int, pneumonia: float) -> None:
    rng = np.random.default_rng(films)
    alarms = 0
    for seed in range(300):
        probabilities, distances, _ = answers(rng, films, pneumonia)
        alarms += check(probabilities, distances, seed).verdict is Verdict.UNLIKE
    # Three measures in 300 checks give 0.9 alarms on average; 6 or more have a chance of 1 in 3,000.
    assert alarms < 6


def test_distances_that_moved() -> None:
    probabilities, distances, _ = answers(np.random.default_rng(2), 300, 0.74)
    moved = check(probabilities, distances * 1.1)
    assert moved.verdict is Verdict.UNLIKE
    assert "domain_distance" in failed(moved)
    assert "probability" not in failed(moved)


def test_films_out_of_domain_are_seen_in_the_smallest_folder() -> None:
    probabilities, distances, _ = answers(np.random.default_rng(3), LEAST_FILMS, 0.5)
    distances[: LEAST_FILMS // 4] = LIMIT + 1
    assert "out_of_domain" in failed(check(probabilities, distances))


def test_a_network_that_is_less_sure_than_it_was() -> None:
    probabilities, distances, _ = answers(np.random.default_rng(4), 300, 0.74)
    logits = np.log(probabilities / (1 - probabilities)) / 3
    assert failed(check(1 / (1 + np.exp(-logits)), distances)) == ["probability"]


def test_wrong_but_confident_answers_alone_are_not_seen() -> None:
    probabilities, distances, _ = answers(np.random.default_rng(5), 300, 1.0)
    assert check(probabilities, distances).verdict is Verdict.LIKE  # whatever these films really show


def test_few_films_get_no_other_verdict() -> None:
    probabilities, distances, _ = answers(np.random.default_rng(6), LEAST_FILMS - 1, 0.74)
    assert check(probabilities, distances * 2).verdict is Verdict.TOO_FEW
    nothing = check(np.empty(0), np.empty(0))
    assert nothing.verdict is Verdict.TOO_FEW
    assert json.loads(json.dumps(nothing.to_dict()))["measures"] == {}
    one = check(probabilities[:1], distances[:1])
    assert math.isfinite(json.loads(json.dumps(one.to_dict()))["measures"]["probability"]["limit"])


@pytest.mark.parametrize("films", [LEAST_FILMS, 397, 20_000])
def test_limits_are_those_of_their_distributions(films: int) -> None:
    flat = Histogram(tuple(np.arange(1, 10) / 10), (100,) * 10, (100,) * 10, (0.1, 0.5, 0.9))
    drift = compare(np.linspace(0, 0.999, films), np.linspace(0, 0.999, films), Reference(0, flat, flat), LIMIT)
    assert drift.measures["out_of_domain"].limit == binom.isf(FALSE_ALARMS, films, TOLERATED_SHARE) / films
    # Both classes are distributed alike, so that they stay mixed by halves: 2,000 films of reference.
    for name, degrees in (("domain_distance", 9), ("probability", 8)):
        by_chance = chi2.isf(FALSE_ALARMS, degrees) * (1 / films + 1 / 2000)
        assert drift.measures[name].limit == pytest.approx(max(LARGE_SHIFT, by_chance), rel=0.01)


def test_the_index_is_what_it_is_defined_to_be() -> None:
    halves = Histogram((0.5,), (50_000, 50_000), (50_000, 50_000), (0.1, 0.5, 0.9))
    values = np.repeat([0.2, 0.5], [30_000, 70_000])  # a value on an edge belongs above it
    index = compare(values, values, Reference(0, halves, halves), LIMIT).measures["domain_distance"].value
    assert index == pytest.approx((0.3 - 0.5) * math.log(0.3 / 0.5) + (0.7 - 0.5) * math.log(0.7 / 0.5), rel=1e-3)
