"""Which films are uncertain, by conformal prediction."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pneumo_train.model.calibration import Scores
from pneumo_train.model.description import UncertainBand

ERROR_RATE = 0.05


def fit_uncertain_band(targets: Scores, probabilities: Scores) -> UncertainBand:
    """Fix the band so that of each class at most 5 % are called the other class with certainty.

    Class-conditional (Mondrian) split conformal prediction: Vovk, "Conditional Validity of Inductive Conformal
    Predictors", ACML 2012. A label is in a film's prediction set unless the film is stranger than 95 % of that label's
    films here; films whose set has both labels, or neither, are uncertain. The bound holds on average over films drawn
    as these were; it says nothing of another hospital's.

    Parameters
    ----------
    targets, probabilities
        (N,) each, of films that the network did not learn from.
    """
    pneumonia_down_to = -_conformal_quantile(-probabilities[targets == 1])
    normal_up_to = _conformal_quantile(probabilities[targets == 0])
    low, high = sorted((pneumonia_down_to, normal_up_to))
    return UncertainBand(
        low=max(low, 0.0),
        high=min(high, 1.0),
        error_rate=ERROR_RATE,
        method="class-conditional split conformal prediction",
        chosen_on="validation",
    )


def _conformal_quantile(strangeness: NDArray[np.float32]) -> float:
    rank = math.ceil((len(strangeness) + 1) * (1 - ERROR_RATE))
    return float(np.sort(strangeness)[rank - 1]) if rank <= len(strangeness) else math.inf
