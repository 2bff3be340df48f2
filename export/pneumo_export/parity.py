"""Proof that a file answers as the Keras model that it was made from does, on real films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pneumo_export.errors import ParityError
from pneumo_export.reference import Reference
from pneumo_infer import Classifier, Prediction
from pneumo_infer.images import Film
from pneumo_train.calibrate import Scores
from pneumo_train.measures import measure, ranking

ONNX_BATCH = 16
FILMS_READ_ALONE = 32
WORST_NAMED = 5
FP32_PROBABILITY = 1e-5
INT8_AUC = 0.002
INT8_POINT = 0.01
FP32_DISTANCE = 1e-4
FP32_HEATMAP = 1e-3
INT8_DOMAIN = 0.02
INT8_HEATMAP = 0.1


@dataclass(frozen=True, slots=True)
class ParityFilms:
    """Films that the network has not learned from.

    Attributes
    ----------
    paths
        The files.
    pixels
        uint8 (N, 224, 224, 1), the same films decoded.
    targets
        float32 (N,), 1 for PNEUMONIA.
    source
        Names the set, for the report.
    """

    paths: Sequence[Path]
    pixels: Film
    targets: Scores
    source: str


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure and the limit that it must not exceed."""

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        return self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Proof:
    """What one file did on the films, beside Keras.

    Attributes
    ----------
    figures
        ROC AUC, sensitivity and specificity at the default operating point, of Keras and of the file.
    worst
        The films with the largest differences, with both probabilities, largest first.
    """

    precision: str
    films: int
    source: str
    gates: list[Gate]
    figures: dict[str, dict[str, float]]
    worst: list[dict[str, Any]]

    @property
    def passed(self) -> bool:
        return all(gate.passed for gate in self.gates)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with each gate's outcome."""
        gates = [{**asdict(gate), "passed": gate.passed} for gate in self.gates]
        return {**asdict(self), "gates": gates}

    def require(self) -> None:
        """Raise if a gate failed.

        Raises
        ------
        ParityError
            Names the gates, and the films that differ most.
        """
        if self.passed:
            return
        failed = "; ".join(f"{g.name} {g.value:.3g}, limit {g.limit:.3g}" for g in self.gates if not g.passed)
        films = "; ".join(f"{w['path']} {w['keras']:.6f} -> {w['onnx']:.6f}" for w in self.worst)
        raise ParityError(
            self.precision,
            f"differs from Keras on {self.films} {self.source} films: {failed}; most on: {films}",
            "nothing was written",
        )


def prove(file: Path, precision: str, reference: Reference, films: ParityFilms) -> Proof:
    """Read the films with a file, from their bytes to their labels as `pneumo-infer` does, and compare.

    Parameters
    ----------
    precision
        `fp32`: every probability within 1e-5 and no label flipped at any operating point; domain distances within
        1e-4 of themselves, and heatmaps that correlate with those of Keras' gradients at 0.999 and more. `int8`: ROC
        AUC within 0.002, sensitivity and specificity at the default operating point within one percentage point, one
        film in fifty at most in the domain for one and out of it for the other, heatmaps that correlate at 0.9.
    """
    classifier = Classifier(file, device="cpu")
    answers = list(classifier.predict_many(films.paths, batch_size=ONNX_BATCH))
    for answer in answers:
        if answer.error:
            raise answer.error
    probabilities = np.array([answer.probability for answer in answers], dtype=np.float32)
    figures = {
        "keras": _figures(films.targets, reference.probabilities, classifier.threshold),
        "onnx": _figures(films.targets, probabilities, classifier.threshold),
    }
    order = np.argsort(-np.abs(probabilities - reference.probabilities))[:WORST_NAMED]
    if precision == "fp32":
        alone = [classifier.predict(path) for path in films.paths[:FILMS_READ_ALONE]]
        thresholds = [point.threshold for point in classifier.model.operating_points.values()]
        gates = _gates_of_equality(reference, answers, alone, thresholds)
    else:
        gates = _gates_of_figures(reference, answers, figures)
    return Proof(
        precision=precision,
        films=len(films.paths),
        source=films.source,
        gates=gates,
        figures=figures,
        worst=[
            {
                "path": films.paths[row].name,
                "keras": float(reference.probabilities[row]),
                "onnx": float(probabilities[row]),
            }
            for row in order
        ],
    )


def _gates_of_equality(
    reference: Reference, answers: list[Prediction], alone: list[Prediction], thresholds: list[float]
) -> list[Gate]:
    probabilities = _column(answers, "probability")
    apart = np.abs(probabilities - reference.probabilities).max()
    batched = np.abs(_column(alone, "probability") - probabilities[: len(alone)]).max()
    flips = sum(int(((reference.probabilities >= t) != (probabilities >= t)).sum()) for t in thresholds)
    distances = np.abs(_column(answers, "domain_distance") / reference.distances - 1).max()
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


def _gates_of_figures(
    reference: Reference, answers: list[Prediction], figures: dict[str, dict[str, float]]
) -> list[Gate]:
    limits = {"auc": INT8_AUC, "sensitivity": INT8_POINT, "specificity": INT8_POINT}
    otherwise = np.mean(reference.in_domain != np.array([answer.in_domain for answer in answers]))
    return [
        *(
            Gate(f"difference of {name}", abs(figures["keras"][name] - figures["onnx"][name]), limit)
            for name, limit in limits.items()
        ),
        Gate("share of films in or out of the domain otherwise", float(otherwise), INT8_DOMAIN),
        Gate("heatmaps: median 1 - correlation", float(np.median(_uncorrelated(reference, answers))), INT8_HEATMAP),
    ]


def _column(answers: list[Prediction], name: str) -> Scores:
    return np.array([getattr(answer, name) for answer in answers], dtype=np.float32)


def _uncorrelated(reference: Reference, answers: list[Prediction]) -> list[float]:
    """1 - Pearson's correlation of each heatmap with Keras'; 0 where both are the same everywhere, as when blank."""
    heatmaps = [answers[row].heatmap for row in reference.heatmap_rows]
    return [
        0.0 if np.array_equal(ours, theirs) else 1 - float(np.corrcoef(np.ravel(ours), np.ravel(theirs))[0, 1])
        for ours, theirs in zip(heatmaps, reference.heatmaps, strict=True)
    ]


def _figures(targets: Scores, probabilities: Scores, threshold: float) -> dict[str, float]:
    decided = measure(targets, probabilities, threshold)
    return {
        "auc": ranking(targets, probabilities)["auc"],
        "sensitivity": decided["sensitivity"],
        "specificity": decided["specificity"],
    }
