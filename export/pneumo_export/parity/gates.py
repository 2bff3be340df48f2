"""What a file is held to before it is let out: figures, each with the limit that it must not exceed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pneumo_export.parity.keras_reference import Reference
from pneumo_infer import Prediction
from pneumo_train.model.calibration import Scores

FP32_PROBABILITY = 1e-5
FP32_DISTANCE = 1e-4
FP32_HEATMAP = 1e-3
# Of the strongest evidence in the set: below it a heatmap holds rounding and no picture.
BLANK = 1e-4


@dataclass(frozen=True, slots=True)
class FigureLimits:
    """How far a file that rounds may be from Keras in what it is for; one film seldom matters, their sum does."""

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
    """A figure and the limit that it must not exceed."""

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        return self.value <= self.limit


def gates_of_equality(
    reference: Reference, answers: list[Prediction], alone: list[Prediction], thresholds: list[float]
) -> list[Gate]:
    """Hold a file that should differ by no more than float32 rounds; `alone` are the first films, read one by one."""
    probabilities = column(answers, "probability")
    apart = np.abs(probabilities - reference.probabilities).max()
    batched = np.abs(column(alone, "probability") - probabilities[: len(alone)]).max()
    flips = sum(int(((reference.probabilities >= t) != (probabilities >= t)).sum()) for t in thresholds)
    distances = np.abs(column(answers, "domain_distance") / reference.distances - 1).max()
    return [
        Gate("largest difference of a probability", float(apart), FP32_PROBABILITY),
        Gate("labels flipped, all operating points", flips, 0),
        Gate("largest difference, read alone or in a batch", float(batched), FP32_PROBABILITY),
        Gate("largest relative difference of a domain distance", float(distances), FP32_DISTANCE),
        Gate(
            "heatmaps: largest 1 - correlation with gradients",
            float(np.max(_uncorrelated(reference, answers))),
            FP32_HEATMAP,
        ),
    ]


def gates_of_figures(
    reference: Reference, answers: list[Prediction], figures: dict[str, dict[str, float]], limits: FigureLimits
) -> list[Gate]:
    """Hold a file that rounds; `figures` are ROC AUC, sensitivity and specificity of `keras` and `onnx`."""
    by_figure = {"auc": limits.auc, "sensitivity": limits.point, "specificity": limits.point}
    otherwise = np.mean(reference.in_domain != np.array([answer.in_domain for answer in answers]))
    return [
        *(
            Gate(f"difference of {name}", abs(figures["keras"][name] - figures["onnx"][name]), limit)
            for name, limit in by_figure.items()
        ),
        Gate("share of films in or out of the domain otherwise", float(otherwise), limits.domain),
        Gate("heatmaps: median 1 - correlation", float(np.median(_uncorrelated(reference, answers))), limits.heatmap),
    ]


def gate_of_adversarial(precision: str, reference: Reference, answers: list[Prediction]) -> Gate:
    """Hold what a file says of `adversarial_films`."""
    limit = FP32_PROBABILITY if precision == "fp32" else LIMITS[precision].adversarial
    apart = float(np.abs(column(answers, "probability") - reference.adversarial).max())
    return Gate("adversarial inputs: largest difference of a probability", apart, limit)


def column(answers: list[Prediction], name: str) -> Scores:
    """One field of many predictions, float32 (N,)."""
    return np.array([getattr(answer, name) for answer in answers], dtype=np.float32)


def _uncorrelated(reference: Reference, answers: list[Prediction]) -> list[float]:
    """1 - Pearson's correlation of each heatmap with Keras'; where one of them is blank, 0 if both are and 1 if not."""
    blank = BLANK * float(reference.heatmaps.max())
    apart = []
    for row, theirs in zip(reference.heatmap_rows, reference.heatmaps, strict=True):
        ours = np.asarray(answers[row].heatmap)
        if np.ptp(ours) > blank and np.ptp(theirs) > blank:
            apart.append(1 - float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]))
        else:
            apart.append(float((np.ptp(ours) > blank) != (np.ptp(theirs) > blank)))
    return apart
