"""Thresholds and calibration chosen on films of several styles are valid for another style."""

from __future__ import annotations

import numpy as np
import pytest

from pneumo_train.augmentation.degrade import degrade
from pneumo_train.evaluation.metrics import threshold_free_metrics
from pneumo_train.model.calibration import Scores, fit_calibration, reliability
from pneumo_train.release.thresholds import MEASURED_SEED, choose_thresholds, measure_degraded

TARGETS = (np.arange(240) % 3 > 0).astype(np.float32)


def by_brightness(films: np.ndarray) -> Scores:
    """A network that takes brightness for pneumonia."""
    return np.asarray(0.3 * (films.mean(axis=(1, 2, 3)) - 128), np.float32)


@pytest.fixture(scope="module")
def films() -> np.ndarray:
    rng = np.random.default_rng(0)
    brightness = np.where(TARGETS == 1, 138, 118) + rng.normal(0, 4, len(TARGETS))
    noise = rng.normal(0, 20, (len(TARGETS), 224, 224, 1))
    return np.clip(brightness[:, None, None, None] + noise, 0, 255).astype(np.uint8)


def test_the_calibration_holds_on_copies_of_other_styles(films: np.ndarray) -> None:
    calibration, points = choose_thresholds(by_brightness, films, TARGETS)
    measured = measure_degraded(
        lambda shown: calibration(by_brightness(shown)), films, TARGETS, points["balanced"]["threshold"]
    )
    logits = by_brightness(degrade(films, MEASURED_SEED))
    alone = fit_calibration(by_brightness(films), TARGETS)(logits)
    assert measured["expected_calibration_error"] < 0.6 * reliability(TARGETS, alone).expected_error
    assert measured["brier"] < 0.9 * threshold_free_metrics(TARGETS, alone)["brier"]
    assert measured["counts"]["true_positive"] + measured["counts"]["false_negative"] == 160
    called = calibration(logits)[TARGETS == 0] >= points["balanced"]["threshold"]
    assert measured["specificity"] == pytest.approx(1 - called.mean())


def test_points_say_what_they_were_chosen_on(films: np.ndarray) -> None:
    _, points = choose_thresholds(by_brightness, films, TARGETS)
    thresholds = [points[name]["threshold"] for name in ("screening", "balanced", "specific")]
    assert thresholds == sorted(thresholds)
    assert all("degraded copies" in point["chosen_on"] for point in points.values())
