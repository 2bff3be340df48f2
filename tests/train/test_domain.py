"""What is far from the training films, and how far."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ShrunkCovariance

from pneumo_train.domain import SHRINKAGE, choose_limit, fit_domain, length
from pneumo_train.strangers import WRONGLY_HUNG, draw_strangers, measure_domain


def test_the_distance_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(40, 40))
    train, others = (rng.normal(3, spread, (200, 40)).astype(np.float32) @ mixed for spread in (1, 2))
    domain = fit_domain(train)
    ours = np.asarray(length(others @ domain.whitening + domain.offset))[:, 0]
    theirs = np.sqrt(ShrunkCovariance(shrinkage=SHRINKAGE).fit(train.astype(np.float64)).mahalanobis(others))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def test_the_limit_lets_99_of_100_pass() -> None:
    distances = np.random.default_rng(1).permutation(np.arange(1, 1001)).astype(np.float32)
    limit = choose_limit(distances)
    assert (distances <= limit).mean() == pytest.approx(0.99, abs=0.002)
    assert choose_limit(np.array([1.2341], np.float32)) == 1.24


def test_strangers_are_drawn_the_same_each_time_and_differ() -> None:
    strangers = draw_strangers()
    assert strangers.shape[1:] == (224, 224, 1)
    assert strangers.dtype == np.uint8
    np.testing.assert_array_equal(strangers, draw_strangers())
    assert len(np.unique(strangers.reshape(len(strangers), -1), axis=0)) > 0.8 * len(strangers)


def test_films_are_hung_wrongly() -> None:
    film = np.zeros((1, 224, 224, 1), np.uint8)
    film[:, :50] = 255
    assert WRONGLY_HUNG["inverted"](film)[0, 100, 100, 0] == 255
    assert WRONGLY_HUNG["turned left by 90 degrees"](film)[0, 100, 10, 0] == 255
    assert WRONGLY_HUNG["turned right by 90 degrees"](film)[0, 100, 214, 0] == 255


def test_each_group_is_measured() -> None:
    films = np.full((4, 224, 224, 1), 100, np.uint8)
    flagged = measure_domain(lambda shown: np.abs(shown.mean(axis=(1, 2, 3)) - 100), 10.0, films)
    assert flagged["films"] == 0
    assert flagged["inverted"] == 1
    assert flagged["turned left by 90 degrees"] == 0
    assert 0 < flagged["no films"] <= 1
