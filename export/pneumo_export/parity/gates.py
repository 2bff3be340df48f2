"""The gates that a file must pass before it is written: figures, each with an upper limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pneumo_export.parity.keras_reference import Reference
from pneumo_infer import Prediction
from pneumo_train.model.calibration import Scores

FP32_PROBABILITY = 1e-5
FP32_DISTANCE = 1e-4
FP32_HEATMAP = 1e-3
# A heatmap with a smaller range, as a share of the highest value of all heatmaps, contains only rounding errors.
BLANK = 1e-4


@dataclass(frozen=True, slots=True)
class FigureLimits:
    """Limits for a file of lower precision. They apply to figures over all films, not to single probabilities.

    Attributes
    ----------
    auc
        Difference of ROC AUC.
    point
        Difference of sensitivity and of specificity at the default operating point.
    domain
        Share of films with another `in_domain`.
    heatmap
        Median of 1 - correlation.
    adversarial
        Difference of a probability on adversarial inputs.
    """

    auc: float
    point: float
    domain: float
    heatmap: float
    adversarial: float


LIMITS = {
    "fp16": FigureLimits(auc=0.0005, point=0.01, domain=0.01, heatmap=0.01, adversarial=0.02),
    "int8": FigureLimits(auc=0.002, point=0.01, domain=0.02, heatmap=0.1, adversarial=0.25),
}


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure and its upper limit."""

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        return self.value <= self.limit


def equality_gates(
    reference: Reference, predictions: list[Prediction], alone: list[Prediction], thresholds: list[float]
) -> list[Gate]:
    """Return the gates of a file that may differ from Keras by float32 rounding only.

    Parameters
    ----------
    predictions
        Predictions of the file for all films.
    alone
        Predictions for the first films, classified one at a time.
    thresholds
        The thresholds of all operating points.
    """
    probabilities = column(predictions, "probability")
    difference = np.abs(probabilities - reference.probabilities).max()
    batched = np.abs(column(alone, "probability") - probabilities[: len(alone)]).max()
    flips = sum(int(((reference.probabilities >= t) != (probabilities >= t)).sum()) for t in thresholds)
    distances = np.abs(column(predictions, "domain_distance") / reference.distances - 1).max()
    return [
        Gate("largest difference of a probability", float(difference), FP32_PROBABILITY),
        Gate("labels flipped, all operating points", flips, 0),
        Gate("largest difference, read alone or in a batch", float(batched), FP32_PROBABILITY),
        Gate("largest relative difference of a domain distance", float(distances), FP32_DISTANCE),
        Gate(
            "heatmaps: largest 1 - correlation with gradients",
            float(np.max(_heatmap_differences(reference, predictions))),
            FP32_HEATMAP,
        ),
    ]


def figure_gates(
    reference: Reference, predictions: list[Prediction], figures: dict[str, dict[str, float]], limits: FigureLimits
) -> list[Gate]:
    """Return the gates of a file of lower precision, whose figures are compared with those of Keras.

    Parameters
    ----------
    predictions
        Predictions of the file for all films.
    figures
        ROC AUC, sensitivity and specificity of `keras` and of `onnx`.
    """
    by_figure = {"auc": limits.auc, "sensitivity": limits.point, "specificity": limits.point}
    changed = np.mean(reference.in_domain != np.array([prediction.in_domain for prediction in predictions]))
    return [
        *(
            Gate(f"difference of {name}", abs(figures["keras"][name] - figures["onnx"][name]), limit)
            for name, limit in by_figure.items()
        ),
        Gate("share of films in or out of the domain otherwise", float(changed), limits.domain),
        Gate(
            "heatmaps: median 1 - correlation",
            float(np.median(_heatmap_differences(reference, predictions))),
            limits.heatmap,
        ),
    ]


def adversarial_gate(precision: str, reference: Reference, predictions: list[Prediction]) -> Gate:
    """Return the gate for a file's predictions on `adversarial_films`."""
    limit = FP32_PROBABILITY if precision == "fp32" else LIMITS[precision].adversarial
    difference = float(np.abs(column(predictions, "probability") - reference.adversarial).max())
    return Gate("adversarial inputs: largest difference of a probability", difference, limit)


def column(predictions: list[Prediction], name: str) -> Scores:
    """Return one field of all predictions as float32 (N,)."""
    return np.array([getattr(prediction, name) for prediction in predictions], dtype=np.float32)


def _heatmap_differences(reference: Reference, predictions: list[Prediction]) -> list[float]:
    """Return 1 - Pearson correlation of each heatmap with that of Keras: 0 if both are blank, 1 if only one is."""
    blank = BLANK * float(reference.heatmaps.max())
    differences = []
    for row, expected in zip(reference.heatmap_rows, reference.heatmaps, strict=True):
        heatmap = np.asarray(predictions[row].heatmap)
        if np.ptp(heatmap) > blank and np.ptp(expected) > blank:
            differences.append(1 - float(np.corrcoef(heatmap.ravel(), expected.ravel())[0, 1]))
        else:
            differences.append(float((np.ptp(heatmap) > blank) != (np.ptp(expected) > blank)))
    return differences
