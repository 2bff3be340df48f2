"""Choose calibration and operating points on validation films in several styles.

Films from a new hospital look different: the logits of NORMAL films rise, and thresholds chosen on unchanged validation
films give too many false positives. Degraded copies of the validation films imitate part of this change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pneumo_infer.films.raster import Film
from pneumo_train.augmentation.degrade import degrade
from pneumo_train.evaluation.metrics import choose_operating_points, metrics_at_threshold, threshold_free_metrics
from pneumo_train.model.calibration import Calibration, Scores, fit_calibration

COPIES = 4  # degraded copies of each film
SEED, MEASURED_SEED = 100, 200
CHOSEN_ON = f"validation films, their mirror images and {COPIES} degraded copies of each"

Logit = Callable[[Film], Scores]
Points = dict[str, dict[str, Any]]


def choose_thresholds(logit: Logit, films: Film, targets: Scores) -> tuple[Calibration, Points]:
    """Fit the calibration and choose the operating points on films, their mirror images and degraded copies.

    Parameters
    ----------
    logit
        Function from films, uint8 (B, 224, 224, 1), to logits, (B,).
    films
        Validation films, uint8 (N, 224, 224, 1).
    targets
        (N,), 1 for PNEUMONIA.
    """
    views = [films, films[:, :, ::-1], *(degrade(films, SEED + copy) for copy in range(COPIES))]
    logits = np.stack([logit(view) for view in views])
    calibration = fit_calibration(logits.ravel(), np.tile(targets, len(views)))
    return calibration, choose_operating_points(targets, calibration(logits), CHOSEN_ON)


def measure_degraded(
    probability: Callable[[Film], Scores], films: Film, targets: Scores, threshold: float
) -> dict[str, Any]:
    """Compute metrics on degraded copies of films. The copies differ from those that thresholds are chosen on.

    Parameters
    ----------
    probability
        Function from films, uint8 (B, 224, 224, 1), to calibrated P(PNEUMONIA), (B,).
    films
        uint8 (N, 224, 224, 1).
    targets
        (N,), 1 for PNEUMONIA.
    threshold
        Probability from which a film is classified as PNEUMONIA.

    Returns
    -------
    dict
        The results of `threshold_free_metrics` and `metrics_at_threshold`.
    """
    probabilities = probability(degrade(films, MEASURED_SEED))
    return {**threshold_free_metrics(targets, probabilities), **metrics_at_threshold(targets, probabilities, threshold)}
