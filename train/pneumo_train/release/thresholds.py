"""Calibration and operating points from validation films in several styles, so that they outlast a change of style.

A new hospital's films look unlike the validation films: logits of NORMAL films rise there, and a threshold chosen on
the validation films as they are lets too many of them through. Degraded copies show some of that.
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
    """Calibrate a trunk and fix the operating points on films, their mirror images, and degraded copies.

    Parameters
    ----------
    logit
        uint8 (B, 224, 224, 1) to logits, (B,).
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
    """Measure degraded copies of films, other copies than thresholds are chosen on.

    Returns
    -------
    dict
        The results of `threshold_free_metrics` and `metrics_at_threshold` on copies with random changes of greys and
        sharpness.
    """
    probabilities = probability(degrade(films, MEASURED_SEED))
    return {**threshold_free_metrics(targets, probabilities), **metrics_at_threshold(targets, probabilities, threshold)}
