"""Logits to probabilities that mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling: P(PNEUMONIA) = sigmoid(slope * logit + offset)."""

    slope: float
    offset: float

    def __call__(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(expit(self.slope * logits + self.offset), dtype=np.float32)


def fit_calibration(logits: NDArray[np.float32], targets: NDArray[np.float32]) -> Calibration:
    """Fit slope and offset on films that the network did not learn from.

    The offset undoes what class weights do to the probabilities, the slope over- or underconfidence. The targets are
    smoothed as Platt proposed ("Probabilistic Outputs for Support Vector Machines", 1999), so that a network that
    errs on almost no film does not become certain of everything.

    Parameters
    ----------
    logits, targets
        (N,) each; targets are 1 for PNEUMONIA.
    """
    ill, well = float(targets.sum()), float((1 - targets).sum())
    smoothed = np.where(targets == 1, (ill + 1) / (ill + 2), 1 / (well + 2))
    # A soft target is a film that counts as both classes, with weights that sum to one.
    twice = np.concatenate([logits, logits])[:, None]
    both = np.concatenate([np.ones_like(targets), np.zeros_like(targets)])
    model = LogisticRegression(C=np.inf, max_iter=1000)
    model.fit(twice, both, sample_weight=np.concatenate([smoothed, 1 - smoothed]))
    return Calibration(slope=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))
