"""Calibration of probabilities, and how to measure it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

Scores: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling: P(PNEUMONIA) = sigmoid(slope * logit + offset)."""

    slope: float
    offset: float

    def __call__(self, logits: Scores) -> Scores:
        return np.asarray(expit(self.slope * logits + self.offset), dtype=np.float32)


def fit_calibration(logits: Scores, targets: Scores) -> Calibration:
    """Fit slope and offset on held-out films.

    The offset corrects the effect of class weights, the slope over- or underconfidence. Targets are smoothed as Platt
    proposed ("Probabilistic Outputs for Support Vector Machines", 1999). Without smoothing, the probabilities of a
    network that makes almost no errors would all become 0 or 1.

    Parameters
    ----------
    logits, targets
        (N,) each; targets are 1 for PNEUMONIA.
    """
    positives, negatives = float(targets.sum()), float((1 - targets).sum())
    smoothed = np.where(targets == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # scikit-learn takes no soft targets, so each film counts as both classes, with weights that add up to one.
    twice = np.concatenate([logits, logits])[:, None]
    both = np.concatenate([np.ones_like(targets), np.zeros_like(targets)])
    model = LogisticRegression(C=np.inf, max_iter=1000)
    model.fit(twice, both, sample_weight=np.concatenate([smoothed, 1 - smoothed]))
    return Calibration(slope=float(model.coef_[0, 0]), offset=float(model.intercept_[0]))


@dataclass(frozen=True, slots=True)
class Reliability:
    """Films by predicted probability, in bins of equal width. Empty bins are omitted.

    Attributes
    ----------
    predicted, observed
        Mean probability and share of films with pneumonia in each bin.
    films
        Number of films in each bin.
    """

    predicted: list[float]
    observed: list[float]
    films: list[int]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean gap, weighted by number of films (Naeini et al., AAAI 2015)."""
        gaps = np.abs(np.subtract(self.predicted, self.observed))
        return float(np.average(gaps, weights=self.films))


def reliability(targets: Scores, probabilities: Scores, bins: int = 15) -> Reliability:
    """Group films into bins, as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017."""
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    members = [bin_of == number for number in range(bins) if (bin_of == number).any()]
    return Reliability(
        [float(probabilities[rows].mean()) for rows in members],
        [float(targets[rows].mean()) for rows in members],
        [int(rows.sum()) for rows in members],
    )


def calibration_error_by_chance(probabilities: Scores, draws: int = 1000, seed: int = 0) -> tuple[float, float, float]:
    """Estimate the expected calibration error that perfectly calibrated probabilities would have on these films.

    It is above 0, because the share of pneumonias in a small bin varies by chance. Targets are drawn from the
    probabilities (Bröcker & Smith, "Increasing the Reliability of Reliability Diagrams", Weather and Forecasting 22,
    2007).

    Parameters
    ----------
    probabilities
        (N,), calibrated P(PNEUMONIA).

    Returns
    -------
    tuple
        The mean, and the lower and upper end of the central 95 % of the draws.
    """
    rng = np.random.default_rng(seed)
    drawn = [
        reliability((rng.random(len(probabilities)) < probabilities).astype(np.float32), probabilities).expected_error
        for _ in range(draws)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.mean(drawn)), float(low), float(high)
