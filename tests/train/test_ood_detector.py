"""Distances of films to the training films."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.covariance import ShrunkCovariance

from pneumo_train.ood.detector import SHRINKAGE, OodDetector, add_ood_distance, choose_limit, distance_of, fit_detector

Features = NDArray[np.float32]


@pytest.fixture(scope="module")
def known() -> Features:
    return np.random.default_rng(0).normal(3, np.arange(1, 41), (600, 40)).astype(np.float32)


@pytest.fixture(scope="module")
def towards() -> Features:
    """Where known outliers lie: three deviations away in one feature of forty."""
    step = np.zeros(40, np.float32)
    step[-1] = 3 * 40
    return step


@pytest.fixture(scope="module")
def domain(known: Features, towards: Features) -> OodDetector:
    return fit_detector(known[:400], known[:200] + towards, known[400:])


def test_far_from_outliers_the_distance_is_that_of_scikit_learn(
    known: Features, towards: Features, domain: OodDetector
) -> None:
    others = known[400:] - 3 * towards
    gaussian = ShrunkCovariance(shrinkage=SHRINKAGE).fit(known[:400].astype(np.float64))
    np.testing.assert_allclose(domain.distances(others), np.sqrt(gaussian.mahalanobis(others)), rtol=1e-3)


def test_both_scores_are_equal_at_the_99th_of_100_validation_films(known: Features, domain: OodDetector) -> None:
    validation = known[400:]
    lengths = np.linalg.norm(validation @ domain.whitening + domain.offset, axis=1)
    scores = (validation @ domain.direction + domain.bias)[:, 0]
    for quantile in (0.5, 0.99):
        assert np.quantile(scores, quantile) == pytest.approx(np.quantile(lengths, quantile), rel=1e-3)


def test_known_outliers_count_for_more_than_their_mahalanobis_distance(
    known: Features, towards: Features, domain: OodDetector
) -> None:
    outliers = known[400:] + towards
    limit = np.quantile(domain.distances(known[400:]), 0.985)
    alone = np.linalg.norm(outliers @ domain.whitening + domain.offset, axis=1)
    assert (domain.distances(outliers) > limit).mean() > (alone > limit).mean() + 0.1


def test_a_served_model_computes_the_distances(known: Features, domain: OodDetector) -> None:
    features = keras.Input((40,))
    model = keras.Model(features, add_ood_distance(features, domain))
    expected = domain.distances(known)
    np.testing.assert_allclose(model(known)[:, 0], expected, rtol=1e-3)
    np.testing.assert_allclose(distance_of(model, known)[:, 0], expected, rtol=1e-3)


def test_the_limit_lets_985_of_1000_pass() -> None:
    distances = np.random.default_rng(1).permutation(np.arange(1, 1001)).astype(np.float32)
    limit = choose_limit(distances)
    assert (distances <= limit).mean() == pytest.approx(0.985, abs=0.002)
    assert choose_limit(np.array([1.2341], np.float32)) == 1.24
