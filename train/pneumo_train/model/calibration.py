"""Logits to probabilities that mean what they say, and how far they are from it."""

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


@dataclass(frozen=True, slots=True)
class Reliability:
    """Films by predicted probability, in bins of equal width; bins without a film are left out.

    Attributes
    ----------
    predicted, observed
        Mean probability, and share of films with pneumonia, of each bin.
    films
        How many each bin has.
    """

    predicted: list[float]
    observed: list[float]
    films: list[int]

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean gap, weighted by films (Naeini et al., AAAI 2015)."""
        gaps = np.abs(np.subtract(self.predicted, self.observed))
        return float(np.average(gaps, weights=self.films))


def reliability(targets: Scores, probabilities: Scores, bins: int = 15) -> Reliability:
    """Sort films into bins as Guo et al. did, "On Calibration of Modern Neural Networks", ICML 2017."""
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    filled = [bin_of == number for number in range(bins) if (bin_of == number).any()]
    return Reliability(
        [float(probabilities[inside].mean()) for inside in filled],
        [float(targets[inside].mean()) for inside in filled],
        [int(inside.sum()) for inside in filled],
    )


def calibration_error_by_chance(probabilities: Scores, draws: int = 1000, seed: int = 0) -> tuple[float, float, float]:
    """What the expected calibration error of these films would be if each probability were right.

    It is not 0: a bin of ten films rarely has the share of pneumonias that it should. Truths are drawn from the
    probabilities (Bröcker & Smith, "Increasing the Reliability of Reliability Diagrams", Weather and Forecasting 22,
    2007).

    Returns
    -------
    tuple
        Its mean, and the lower and upper end of 95 % of the draws.
    """
    rng = np.random.default_rng(seed)
    drawn = [
        reliability((rng.random(len(probabilities)) < probabilities).astype(np.float32), probabilities).expected_error
        for _ in range(draws)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(np.mean(drawn)), float(low), float(high)
