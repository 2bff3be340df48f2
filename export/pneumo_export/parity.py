"""Proof that a file answers as the Keras model that it was made from does, on real films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pneumo_export.errors import ParityError
from pneumo_infer import Classifier
from pneumo_infer.images import Film
from pneumo_train.calibrate import Scores
from pneumo_train.measures import measure, ranking

KERAS_BATCH = 32
ONNX_BATCH = 16
FILMS_READ_ALONE = 32
WORST_NAMED = 5
FP32_PROBABILITY = 1e-5
INT8_AUC = 0.002
INT8_POINT = 0.01


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


def keras_probabilities(model: keras.Model, pixels: Film) -> Scores:
    """What the Keras model says of decoded films, float32 (N,)."""
    return np.asarray(model.predict(pixels, batch_size=KERAS_BATCH, verbose=0)["probability"][:, 0])


def prove(file: Path, precision: str, reference: Scores, films: ParityFilms) -> Proof:
    """Read the films with a file, from their bytes to their labels as `pneumo-infer` does, and compare.

    Parameters
    ----------
    precision
        `fp32`: every probability within 1e-5 and no label flipped at any operating point. `int8`: ROC AUC within
        0.002, sensitivity and specificity at the default operating point within one percentage point.
    reference
        The Keras model's probabilities, float32 (N,).
    """
    classifier = Classifier(file, device="cpu")
    answers = list(classifier.predict_many(films.paths, batch_size=ONNX_BATCH))
    for answer in answers:
        if answer.error:
            raise answer.error
    probabilities = np.array([answer.probability for answer in answers], dtype=np.float32)
    alone = np.array([classifier.predict(path).probability for path in films.paths[:FILMS_READ_ALONE]])
    thresholds = [point.threshold for point in classifier.model.operating_points.values()]
    figures = {
        "keras": _figures(films.targets, reference, classifier.threshold),
        "onnx": _figures(films.targets, probabilities, classifier.threshold),
    }
    differences = np.abs(probabilities - reference)
    order = np.argsort(-differences)[:WORST_NAMED]
    return Proof(
        precision=precision,
        films=len(films.paths),
        source=films.source,
        gates=_gates(precision, reference, probabilities, alone, thresholds, figures),
        figures=figures,
        worst=[
            {"path": films.paths[i].name, "keras": float(reference[i]), "onnx": float(probabilities[i])} for i in order
        ],
    )


def _gates(
    precision: str,
    reference: Scores,
    probabilities: Scores,
    alone: np.ndarray[Any, np.dtype[np.float64]],
    thresholds: list[float],
    figures: dict[str, dict[str, float]],
) -> list[Gate]:
    if precision == "fp32":
        flips = sum(int(((reference >= t) != (probabilities >= t)).sum()) for t in thresholds)
        return [
            Gate(
                "largest difference of a probability", float(np.abs(probabilities - reference).max()), FP32_PROBABILITY
            ),
            Gate("labels flipped, all operating points", flips, 0),
            Gate(
                "largest difference, read alone or in a batch",
                float(np.abs(alone - probabilities[: len(alone)]).max()),
                FP32_PROBABILITY,
            ),
        ]
    limits = {"auc": INT8_AUC, "sensitivity": INT8_POINT, "specificity": INT8_POINT}
    return [
        Gate(f"difference of {name}", abs(figures["keras"][name] - figures["onnx"][name]), limit)
        for name, limit in limits.items()
    ]


def _figures(targets: Scores, probabilities: Scores, threshold: float) -> dict[str, float]:
    decided = measure(targets, probabilities, threshold)
    return {
        "auc": ranking(targets, probabilities)["auc"],
        "sensitivity": decided["sensitivity"],
        "specificity": decided["specificity"],
    }
