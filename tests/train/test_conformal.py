"""The uncertain band has the promised error rate, and calibration error is computed as published."""

from __future__ import annotations

import numpy as np
import pytest

from pneumo_train.evaluation.metrics import bootstrap_by_patient
from pneumo_train.model.calibration import Calibration, reliability
from pneumo_train.model.conformal import ERROR_RATE, fit_uncertain_band


def draw(rng: np.random.Generator, films: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    targets = (rng.random(films) < 0.7).astype(np.float32)
    logits = rng.normal(apart * (2 * targets - 1), 1.0).astype(np.float32)
    return targets, Calibration(2.0, 0.0)(logits)


@pytest.mark.parametrize("apart", [0.5, 1.0, 3.0])  # classes that overlap, and classes that hardly do
def test_few_films_outside_the_band_are_misclassified(apart: float) -> None:
    rng = np.random.default_rng(4)
    wrong = {0: [], 1: []}
    for _ in range(200):
        band = fit_uncertain_band(*draw(rng, 400, apart))
        targets, probabilities = draw(rng, 400, apart)
        wrong[0].append((probabilities[targets == 0] > band.high).mean())
        wrong[1].append((probabilities[targets == 1] < band.low).mean())
    for rates in wrong.values():
        assert np.mean(rates) <= ERROR_RATE + 0.005
    overlap = apart < 1.5
    assert (np.mean(wrong[0]) > ERROR_RATE - 0.015) == overlap  # no wider than it has to be


def test_too_few_films_to_be_certain_of_anything() -> None:
    band = fit_uncertain_band(np.array([0, 0, 1, 1], np.float32), np.array([0.1, 0.2, 0.8, 0.9], np.float32))
    assert (band.low, band.high) == (0.0, 1.0)
    assert band.contains(np.array([0.0, 0.5, 1.0], np.float32)).all()


def test_calibration_error_by_hand() -> None:
    targets = np.array([0, 1, 1, 1], np.float32)
    probabilities = np.array([0.1, 0.1, 0.9, 1.0], np.float32)
    curve = reliability(targets, probabilities, bins=2)
    assert curve.films == [2, 2]
    assert curve.observed == pytest.approx([0.5, 1.0])
    assert curve.expected_error == pytest.approx(0.5 * 0.4 + 0.5 * 0.05)


def test_true_probabilities_have_little_calibration_error() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random(20000).astype(np.float32)
    targets = (rng.random(20000) < probabilities).astype(np.float32)
    assert reliability(targets, probabilities).expected_error < 0.02
    assert reliability(targets, probabilities**3).expected_error > 0.1


def test_the_bootstrap_draws_patients_not_films() -> None:
    rng = np.random.default_rng(1)
    targets, probabilities = draw(rng, 300, 0.7)
    alone = bootstrap_by_patient(targets, probabilities, [str(i) for i in range(300)], 0.5)
    low, high = alone["auc"]
    assert low < 0.84 < high
    # Ten copies of each film add no information, so the interval must not shrink.
    repeated = bootstrap_by_patient(
        np.repeat(targets, 10), np.repeat(probabilities, 10), [str(i // 10) for i in range(3000)], 0.5, draws=300
    )
    assert repeated["auc"][1] - repeated["auc"][0] == pytest.approx(high - low, rel=0.2)
