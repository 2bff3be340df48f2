"""Domain distance: how far a film is from the training films, measured on features of the network.

The distance is the larger of two scores:

- A Gaussian is fitted to pooled features of the training films, and the score is the Mahalanobis distance (Lee et al.,
  "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", NeurIPS 2018), with
  the covariance shrunk towards a multiple of the identity (Ledoit & Wolf, J. Multivariate Analysis 88, 2004). It also
  detects kinds of outliers that were not anticipated.
- A logistic regression separates training films from known outliers (outlier exposure; Hendrycks et al., ICLR 2019). It
  detects wrong anatomy in films that otherwise resemble the training films: one lung, parts of a chest, blends.

The features come from middle stages of the network, which encode texture, edges and parts of anatomy. The last stage
has learned to ignore everything but the disease, and hardly registers whether a film is inverted.
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

# A smaller value fits the films better, but along directions in which films hardly vary, int8 rounding errors exceed
# that variation.
SHRINKAGE = 0.02
# Inverse strength of the logistic regression's L2 penalty, on features of unit variance.
PENALTY = 1e-3
ACCEPTED = 0.985  # share of validation films, original and degraded, that are within the limit
ALIGNED_AT = 0.99  # quantile of validation films at which both scores are equal
METHOD = (
    "larger of two scores of pooled middle features: Mahalanobis distance to the training films and their degraded "
    "copies, and a logistic regression against outliers, scaled to that distance"
)


@dataclass(frozen=True, slots=True)
class OodDetector:
    """Both scores as dense layers.

    Attributes
    ----------
    whitening, offset
        float32 (C, C) and (C,): the Gaussian. On training films, `features @ whitening + offset` has zero mean and unit
        covariance.
    direction, bias
        float32 (C, 1) and (1,): the logistic regression, scaled to units of the distance.
    """

    whitening: NDArray[np.float32]
    offset: NDArray[np.float32]
    direction: NDArray[np.float32]
    bias: NDArray[np.float32]

    def distances(self, features: Features) -> Scores:
        """Compute `domain_distance` from features, (N, C) to (N,), as the exported model does."""
        gaussian = np.linalg.norm(features @ self.whitening + self.offset, axis=1)
        distances: Scores = np.maximum(gaussian, (features @ self.direction + self.bias)[:, 0])
        return distances


def fit_detector(known: Features, outliers: Features, validation: Features) -> OodDetector:
    """Fit both scores.

    Parameters
    ----------
    known
        (N, C), features of training films and their degraded copies.
    outliers
        (N, C), features of images out of the domain.
    validation
        (N, C), features of films on which both scores get the same median and 99 % quantile.
    """
    gaussian = ShrunkCovariance(shrinkage=SHRINKAGE).fit(known.astype(np.float64))
    # Rounded to float16, so that a file can store this large matrix in half the bytes.
    whitening = nearest_float16(np.linalg.cholesky(gaussian.precision_)).astype(np.float64)
    offset = -gaussian.location_ @ whitening
    weights, constant = _fit_regression(known, outliers)
    distances = np.linalg.norm(validation @ whitening + offset, axis=1)
    median, high = np.quantile(distances, [0.5, ALIGNED_AT])
    median_logit, high_logit = np.quantile(validation @ weights + constant, [0.5, ALIGNED_AT])
    scale = (high - median) / max(high_logit - median_logit, 1e-6)
    return OodDetector(
        whitening.astype(np.float32),
        offset.astype(np.float32),
        (scale * weights)[:, None].astype(np.float32),
        np.array([median + scale * (constant - median_logit)], np.float32),
    )


def _fit_regression(known: Features, outliers: Features) -> tuple[NDArray[np.float64], float]:
    mean, deviation = known.mean(axis=0, dtype=np.float64), known.std(axis=0, dtype=np.float64) + 1e-6
    scaled = (np.concatenate([known, outliers]) - mean) / deviation
    is_outlier = np.repeat([0, 1], [len(known), len(outliers)])
    fitted = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=300).fit(scaled, is_outlier)
    weights = fitted.coef_[0] / deviation
    return weights, float(fitted.intercept_[0] - weights @ mean)


def add_ood_distance(features: keras.KerasTensor, detector: OodDetector) -> keras.KerasTensor:
    """Compute `domain_distance`, (N, 1), from features, (N, C), with Keras layers."""
    whitening = keras.layers.Dense(len(detector.offset), name="whitening", dtype="float32")
    outlier_score = keras.layers.Dense(1, name="outlier_score", dtype="float32")
    distance = ops.maximum(length(whitening(features)), outlier_score(features))
    whitening.set_weights([detector.whitening, detector.offset])
    outlier_score.set_weights([detector.direction, detector.bias])
    return distance


def distance_of(model: keras.Model, features: Any) -> Any:
    """Compute `domain_distance` with the layers that `add_ood_distance` added to a model, (N, C) to (N, 1)."""
    gaussian = length(model.get_layer("whitening")(features))
    return ops.maximum(gaussian, model.get_layer("outlier_score")(features))


def length(whitened: Any) -> Any:
    """Compute the Mahalanobis distance from whitened features, (N, C) to (N, 1)."""
    return ops.sqrt(ops.sum(ops.square(whitened), axis=-1, keepdims=True))


def choose_limit(distances: Scores) -> float:
    """Choose the limit that 98.5 % of the validation films stay within, rounded up to two decimals."""
    return math.ceil(100 * float(np.quantile(distances, ACCEPTED, method="higher"))) / 100
