"""How far a film's features lie from those of the training films, and how close to those of known outliers.

Two scores, and the larger one is the distance:

- A Gaussian is fitted to pooled features of the training films, and the score is Mahalanobis' distance (Lee et al., "A
  Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", NeurIPS 2018), with the
  covariance shrunk towards a multiple of the identity (Ledoit & Wolf, J. Multivariate Analysis 88, 2004). It notices
  what nobody thought of.
- A logistic regression tells the training films from outliers (outlier exposure; Hendrycks et al., ICLR 2019). It
  notices wrong anatomy that is close to the training films in everything else: one lung, parts of a chest, blends.

The features are those of middle stages of the network, which tell texture, edges and parts of anatomy. The last stage
has learned to look past everything but the disease, and hardly sees whether a film is inverted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from sklearn.covariance import ShrunkCovariance
from sklearn.linear_model import LogisticRegression

from pneumo_train.model.calibration import Scores
from pneumo_train.model.save_keras import nearest_float16

Features = NDArray[np.float32]  # (N, C)

# Less would fit the films better, and in the directions in which films hardly differ, int8 rounds by more than they do.
SHRINKAGE = 0.02
# Of the logistic regression: inverse strength of its L2 penalty, on features of unit variance.
PENALTY = 1e-3
ACCEPTED = 0.985  # share of validation films, plain and degraded, that are taken for films of the known kind
ALIGNED_AT = 0.99  # quantile of validation films at which both scores are equal
METHOD = (
    "larger of two scores of pooled middle features: Mahalanobis distance to the training films and their degraded "
    "copies, and a logistic regression against outliers, scaled to that distance"
)


@dataclass(frozen=True, slots=True)
class OodDetector:
    """Both scores as dense layers; `features @ whitening + offset` has unit covariance, mean zero, on training films.

    Attributes
    ----------
    whitening, offset
        float32 (C, C) and (C,): the Gaussian.
    direction, bias
        float32 (C, 1) and (1,): towards outliers, in units of the distance.
    """

    whitening: NDArray[np.float32]
    offset: NDArray[np.float32]
    direction: NDArray[np.float32]
    bias: NDArray[np.float32]

    def distances(self, features: Features) -> Scores:
        """Give `domain_distance` of features, (N, C) to (N,), as the served model computes it."""
        gaussian = np.linalg.norm(features @ self.whitening + self.offset, axis=1)
        distances: Scores = np.maximum(gaussian, (features @ self.direction + self.bias)[:, 0])
        return distances


def fit_detector(known: Features, outliers: Features, validation: Features) -> OodDetector:
    """Fit both scores.

    Parameters
    ----------
    known
        Of training films and degraded copies of them.
    outliers
        Of pictures out of the domain.
    validation
        Of films that the scores are brought to one scale on: their median and 99 % quantile.
    """
    gaussian = ShrunkCovariance(shrinkage=SHRINKAGE).fit(known.astype(np.float64))
    # Rounded, so that a file can store so large a matrix in half the bytes.
    whitening = nearest_float16(np.linalg.cholesky(gaussian.precision_)).astype(np.float64)
    offset = -gaussian.location_ @ whitening
    weights, constant = _fit_regression(known, outliers)
    lengths = np.linalg.norm(validation @ whitening + offset, axis=1)
    middle, high = np.quantile(lengths, [0.5, ALIGNED_AT])
    middle_logit, high_logit = np.quantile(validation @ weights + constant, [0.5, ALIGNED_AT])
    scale = (high - middle) / max(high_logit - middle_logit, 1e-6)
    return OodDetector(
        whitening.astype(np.float32),
        offset.astype(np.float32),
        (scale * weights)[:, None].astype(np.float32),
        np.array([middle + scale * (constant - middle_logit)], np.float32),
    )


def _fit_regression(known: Features, outliers: Features) -> tuple[NDArray[np.float64], float]:
    centre, spread = known.mean(axis=0, dtype=np.float64), known.std(axis=0, dtype=np.float64) + 1e-6
    scaled = (np.concatenate([known, outliers]) - centre) / spread
    is_outlier = np.repeat([0, 1], [len(known), len(outliers)])
    fitted = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=300).fit(scaled, is_outlier)
    weights = fitted.coef_[0] / spread
    return weights, float(fitted.intercept_[0] - weights @ centre)


def add_ood_distance(features: keras.KerasTensor, domain: OodDetector) -> keras.KerasTensor:
    """Compute `domain_distance`, (N, 1), from features, (N, C), with Keras' own layers."""
    whiten = keras.layers.Dense(len(domain.offset), name="whitening", dtype="float32")
    outlying = keras.layers.Dense(1, name="outlier_score", dtype="float32")
    distance = ops.maximum(length(whiten(features)), outlying(features))
    whiten.set_weights([domain.whitening, domain.offset])
    outlying.set_weights([domain.direction, domain.bias])
    return distance


def distance_of(model: keras.Model, features: Any) -> Any:
    """Compute what `add_ood_distance` put into a served model, (N, C) to (N, 1)."""
    gaussian = length(model.get_layer("whitening")(features))
    return ops.maximum(gaussian, model.get_layer("outlier_score")(features))


def length(whitened: Any) -> Any:
    """Mahalanobis' distance from whitened features: (N, C) to (N, 1)."""
    return ops.sqrt(ops.sum(ops.square(whitened), axis=-1, keepdims=True))


def choose_limit(distances: Scores) -> float:
    """The distance that 98.5 % of the validation films stay within, rounded up to a hundredth."""
    return math.ceil(100 * float(np.quantile(distances, ACCEPTED, method="higher"))) / 100
