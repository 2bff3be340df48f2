"""How far a film's features lie from those of the training films.

A Gaussian is fitted to pooled features of the training films, and the distance is Mahalanobis' (Lee et al., "A Simple
Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", NeurIPS 2018), with the covariance
shrunk towards a multiple of the identity (Ledoit & Wolf, J. Multivariate Analysis 88, 2004).

The features are those of a middle stage of the network, which tell texture and the direction of edges. The last stage
has learned to look past everything but the disease, and so hardly sees whether a film is inverted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray
from sklearn.covariance import ShrunkCovariance

from pneumo_train.calibrate import Scores

# More than the 0.003 that fits the films best: in the directions in which films hardly differ, int8 rounds by more than
# they do, and all that lies there would be noise.
SHRINKAGE = 0.2
ACCEPTED = 0.99  # share of validation films that are taken for films of the known kind


@dataclass(frozen=True, slots=True)
class Domain:
    """The Gaussian of the training films' features; `features @ whitening + offset` has unit covariance, mean zero.

    Attributes
    ----------
    whitening
        float32 (C, C).
    offset
        float32 (C,).
    """

    whitening: NDArray[np.float32]
    offset: NDArray[np.float32]


def fit_domain(features: NDArray[np.float32]) -> Domain:
    """Fit the Gaussian to the training films' features, float32 (N, C)."""
    gaussian = ShrunkCovariance(shrinkage=SHRINKAGE).fit(features.astype(np.float64))
    whitening = np.linalg.cholesky(gaussian.precision_)
    return Domain(whitening.astype(np.float32), (-gaussian.location_ @ whitening).astype(np.float32))


def length(whitened: Any) -> Any:
    """Mahalanobis' distance from whitened features: (N, C) to (N, 1)."""
    return ops.sqrt(ops.sum(ops.square(whitened), axis=-1, keepdims=True))


def choose_limit(distances: Scores) -> float:
    """The distance that 99 % of the validation films stay within, rounded up to a hundredth."""
    return math.ceil(100 * float(np.quantile(distances, ACCEPTED, method="higher"))) / 100
