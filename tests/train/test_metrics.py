"""Metrics agree with published values and with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import f1_score, precision_score, recall_score

from pneumo_train.evaluation.metrics import (
    auc_interval,
    bootstrap_by_patient,
    choose_operating_points,
    metrics_at_threshold,
    threshold_free_metrics,
    wilson_interval,
)
from pneumo_train.model.calibration import Calibration, calibration_error_by_chance, fit_calibration
from pneumo_train.training.fit import class_weights


def scores(count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = (rng.random(count) < 0.7).astype(np.float32)
    logits = (rng.normal(0, 1, count) + 3 * targets - 1.5).astype(np.float32)
    return targets, Calibration(1.0, 0.0)(logits)


def scores_of_two_views(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Half of the variance of the logits is between films, the other half between views of a film."""
    rng = np.random.default_rng(1)
    targets = (rng.random(count) < 0.7).astype(np.float32)
    logits = rng.normal(0, 1, count) + rng.normal(0, 1, (2, count)) + 4 * targets - 2
    return targets, Calibration(1.0, 0.0)(logits.astype(np.float32))


def test_wilson_interval_as_published() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_the_interval_of_the_auc_is_the_one_of_the_bootstrap() -> None:
    targets, probabilities = scores(200)
    with_ties = probabilities.round(1)
    patients = [str(film // 3) for film in range(200)]
    drawn = bootstrap_by_patient(targets, with_ties, patients, 0.5, draws=50)
    assert auc_interval(targets, with_ties, patients, draws=50) == pytest.approx(drawn["auc"], abs=1e-12)


def test_decisions_agree_with_scikit_learn() -> None:
    targets, probabilities = scores()
    figures = metrics_at_threshold(targets, probabilities, 0.6)
    called = probabilities >= 0.6
    assert figures["sensitivity"] == pytest.approx(recall_score(targets, called))
    assert figures["specificity"] == pytest.approx(recall_score(targets, called, pos_label=0))
    assert figures["precision"] == pytest.approx(precision_score(targets, called))
    assert figures["f1"] == pytest.approx(f1_score(targets, called))
    assert sum(figures["counts"].values()) == len(targets)


def test_a_threshold_that_calls_nothing() -> None:
    targets, probabilities = scores(50)
    figures = metrics_at_threshold(targets, probabilities, 1.0)
    assert (figures["sensitivity"], figures["specificity"], figures["precision"], figures["f1"]) == (0, 1, 0, 0)


def test_auc_of_a_perfect_and_a_reversed_order() -> None:
    targets = np.array([0, 0, 1, 1], np.float32)
    assert threshold_free_metrics(targets, np.array([0.1, 0.2, 0.8, 0.9], np.float32))["auc"] == 1.0
    assert threshold_free_metrics(targets, np.array([0.9, 0.8, 0.2, 0.1], np.float32))["auc"] == 0.0


def test_operating_points_reach_their_targets() -> None:
    targets, probabilities = scores()
    points = choose_operating_points(targets, probabilities[None], "validation")
    assert points["screening"]["sensitivity"] >= 0.99
    assert points["specific"]["specificity"] >= 0.99
    swept = [metrics_at_threshold(targets, probabilities, t) for t in np.linspace(0, 1, 501)]
    best = max(point["sensitivity"] + point["specificity"] for point in swept)
    balanced = points["balanced"]
    assert balanced["sensitivity"] + balanced["specificity"] >= best - 0.01
    # Distributions with equal spreads cross halfway between their means.
    assert balanced["threshold"] == pytest.approx(0.5, abs=0.03)
    for point in points.values():
        assert not np.isin(point["threshold"], probabilities)
        again = metrics_at_threshold(targets, probabilities, point["threshold"])
        assert (again["sensitivity"], again["specificity"]) == (point["sensitivity"], point["specificity"])
        assert point["intervals"]["sensitivity"][0] < point["sensitivity"] <= point["intervals"]["sensitivity"][1]
    # The target is missed one film further on either side.
    below = np.sort(probabilities[probabilities < points["specific"]["threshold"]])[-40:]
    assert any(metrics_at_threshold(targets, probabilities, t)["specificity"] < 0.99 for t in below)
    above = np.sort(probabilities[probabilities > points["screening"]["threshold"]])[1:40]
    assert any(metrics_at_threshold(targets, probabilities, t)["sensitivity"] < 0.99 for t in above)


def test_operating_points_of_classes_that_never_overlap() -> None:
    targets = np.array([0] * 20 + [1] * 20, np.float32)
    probabilities = np.linspace(0.01, 0.99, 40, dtype=np.float32)
    points = choose_operating_points(targets, probabilities[None], "validation")
    for name in ("screening", "balanced"):
        assert (points[name]["sensitivity"], points[name]["specificity"]) == (1.0, 1.0)
    assert probabilities[19] < points["balanced"]["threshold"] < probabilities[20]


def test_the_balanced_point_does_not_depend_on_one_film() -> None:
    targets, probabilities = scores()
    thresholds = [
        choose_operating_points(targets[kept], probabilities[None, kept], "validation")["balanced"]["threshold"]
        for kept in (np.arange(len(targets)) % 50 != fold for fold in range(50))
    ]
    assert np.ptp(thresholds) < 0.02


def test_operating_points_reach_their_targets_on_all_views() -> None:
    targets, views = scores_of_two_views(2000)
    point = choose_operating_points(targets, views, "films and their mirror images")["screening"]
    called = views[:, targets == 1] >= point["threshold"]
    assert point["sensitivity"] == called.mean() >= 0.99
    assert point["chosen_on"] == "films and their mirror images"
    # Two views of a film are not two films.
    assert point["intervals"]["sensitivity"] == wilson_interval(called.sum() // 2, int(targets.sum()))


def test_a_second_view_makes_the_screening_point_more_stable() -> None:
    targets, views = scores_of_two_views(30_000)
    one, two = (
        [
            logit(choose_operating_points(targets[part], views[:count, part], "")["screening"]["threshold"])
            for part in np.array_split(np.arange(len(targets)), 100)
        ]
        for count in (1, 2)
    )
    assert np.std(two) < 0.95 * np.std(one)


def test_calibration_finds_the_distortion() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, 40_000).astype(np.float32)
    targets = (rng.random(40_000) < Calibration(0.5, 0.7)(logits)).astype(np.float32)
    found = fit_calibration(logits, targets)
    assert found.slope == pytest.approx(0.5, abs=0.02)
    assert found.offset == pytest.approx(0.7, abs=0.03)


def test_calibration_stays_finite_where_no_film_is_wrong() -> None:
    found = fit_calibration(np.array([-3, -2, 2, 3], np.float32), np.array([0, 0, 1, 1], np.float32))
    assert 0 < found.slope < 5


def test_class_weights_balance_the_classes() -> None:
    weights = class_weights(np.array([0] * 10 + [1] * 30, np.float32))
    assert weights == {0: 2.0, 1: pytest.approx(2 / 3)}
    assert weights[0] * 10 == pytest.approx(weights[1] * 30)


def test_calibrated_probabilities_have_the_calibration_error_by_chance() -> None:
    probabilities = Calibration(1.0, 0.0)(np.random.default_rng(1).normal(2, 3, 500).astype(np.float32))
    mean, low, high = calibration_error_by_chance(probabilities)
    calibrated = (np.random.default_rng(2).random(500) < probabilities).astype(np.float32)
    assert low < mean < high
    assert low <= threshold_free_metrics(calibrated, probabilities)["expected_calibration_error"] <= high
    assert threshold_free_metrics(1 - calibrated, probabilities)["expected_calibration_error"] > high
    assert calibration_error_by_chance(np.repeat(probabilities, 50))[0] < mean / 3
