"""Proof that a file answers as the Keras model that it was made from does, on real films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pneumo_export.errors import ParityError
from pneumo_export.parity.gates import LIMITS, Gate, column, gate_of_adversarial, gates_of_equality, gates_of_figures
from pneumo_export.parity.keras_reference import Reference, adversarial_films
from pneumo_infer import Classifier
from pneumo_infer.films.raster import Film
from pneumo_train.evaluation.metrics import figures_at
from pneumo_train.model.calibration import Scores

ONNX_BATCH = 16
FILMS_READ_ALONE = 32
WORST_NAMED = 5


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

    def require(self, remedy: str) -> None:
        """Raise if a gate failed, and say what follows from that.

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
            remedy,
        )


def prove(file: Path, precision: str, reference: Reference, films: ParityFilms) -> Proof:
    """Read the films with a file, from their bytes to their labels as `pneumo-infer` does, and compare.

    Parameters
    ----------
    precision
        `fp32`: every probability within 1e-5 and no label flipped at any operating point; domain distances within
        1e-4 of themselves, and heatmaps that correlate with Keras' at 0.999 and more. `fp16` and
        `int8`: ROC AUC, sensitivity and specificity at the default operating point, the share of films in and out of
        the domain and the median heatmap, within `LIMITS`.
    """
    classifier = Classifier(file, device="cpu")
    answers = list(classifier.predict_many(films.paths, batch_size=ONNX_BATCH))
    for answer in answers:
        if answer.error:
            raise answer.error
    probabilities = column(answers, "probability")
    figures = {
        "keras": figures_at(classifier.threshold, films.targets, reference.probabilities),
        "onnx": figures_at(classifier.threshold, films.targets, probabilities),
    }
    order = np.argsort(-np.abs(probabilities - reference.probabilities))[:WORST_NAMED]
    if precision == "fp32":
        alone = [classifier.predict(path) for path in films.paths[:FILMS_READ_ALONE]]
        thresholds = [point.threshold for point in classifier.model.operating_points.values()]
        gates = gates_of_equality(reference, answers, alone, thresholds)
    else:
        gates = gates_of_figures(reference, answers, figures, LIMITS[precision])
    adversarial = [classifier.predict(film[:, :, 0]) for film in adversarial_films()]
    return Proof(
        precision=precision,
        films=len(films.paths),
        source=films.source,
        gates=[*gates, gate_of_adversarial(precision, reference, adversarial)],
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
