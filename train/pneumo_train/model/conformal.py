"""The band of uncertain probabilities, by conformal prediction."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pneumo_train.model.calibration import Scores
from pneumo_train.model.file_description import UncertainBand

ERROR_RATE = 0.05


def fit_uncertain_band(targets: Scores, probabilities: Scores) -> UncertainBand:
    """Fit the band such that outside it, at most 5 % of each class are classified as the other class.

    Uses class-conditional (Mondrian) split conformal prediction: Vovk, "Conditional Validity of Inductive Conformal
    Predictors", ACML 2012. A label is in the prediction set of a film unless the film is less typical of the label than
    95 % of its films here. Films with both labels in the set, or neither, are uncertain. The bound holds on average for
    films from the same distribution, not for films from another hospital.

    Parameters
    ----------
    targets, probabilities
        (N,) each, of held-out films.
    """
    lowest_pneumonia = -_conformal_quantile(-probabilities[targets == 1])
    highest_normal = _conformal_quantile(probabilities[targets == 0])
    low, high = sorted((lowest_pneumonia, highest_normal))
    return UncertainBand(
        low=max(low, 0.0),
        high=min(high, 1.0),
        error_rate=ERROR_RATE,
        method="class-conditional split conformal prediction",
        chosen_on="validation",
    )


def _conformal_quantile(nonconformity: NDArray[np.float32]) -> float:
    rank = math.ceil((len(nonconformity) + 1) * (1 - ERROR_RATE))
    return float(np.sort(nonconformity)[rank - 1]) if rank <= len(nonconformity) else math.inf
