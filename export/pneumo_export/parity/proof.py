"""The parity check: compare an exported file with its Keras model on real films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pneumo_export.errors import ParityError
from pneumo_export.parity.gates import LIMITS, Gate, adversarial_gate, column, equality_gates, figure_gates
from pneumo_export.parity.keras_reference import Reference, adversarial_films
from pneumo_infer import Classifier
from pneumo_infer.films.preprocess import NetworkInput
from pneumo_infer.films.raster import Film
from pneumo_train.evaluation.metrics import figures_at
from pneumo_train.model.calibration import Scores

ONNX_BATCH = 16
FILMS_READ_ALONE = 32
WORST_NAMED = 5


@dataclass(frozen=True, slots=True)
class ParityFilms:
    """Held-out films for the parity check.

    Attributes
    ----------
    paths
        The files.
    pixels
        uint8 (N, 224, 224, 1), the same films decoded.
    targets
        float32 (N,), 1 for PNEUMONIA.
    source
        The name of the set, for the report.
    """

    paths: Sequence[Path]
    pixels: Film
    targets: Scores
    source: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of the parity check of one file.

    Attributes
    ----------
    films
        The number of films.
    source
        The name of the set of films.
    figures
        ROC AUC, sensitivity and specificity at the default operating point, for `keras` and `onnx`.
    worst
        The films with the largest differences, largest first: path and both probabilities.
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
        """Return the result as JSON-ready values, with `passed` for each gate."""
        gates = [{**asdict(gate), "passed": gate.passed} for gate in self.gates]
        return {**asdict(self), "gates": gates}

    def require(self, remedy: str) -> None:
        """Raise an error if a gate failed.

        Parameters
        ----------
        remedy
            The last part of the error message.

        Raises
        ------
        ParityError
            Lists the failed gates and the films that differ most.
        """
        if self.passed:
            return
        failed = ", ".join(f"{g.name} {g.value:.3g} (limit {g.limit:.3g})" for g in self.gates if not g.passed)
        films = ", ".join(f"{w['path']} {w['keras']:.6f} -> {w['onnx']:.6f}" for w in self.worst)
        raise ParityError(
            self.precision,
            f"differs from Keras on {self.films} {self.source} films: {failed}; largest differences: {films}",
            remedy,
        )


def prove(file: Path, precision: str, reference: Reference, films: ParityFilms) -> Proof:
    """Classify the films from their files, as `pneumo-infer` does, and compare the results with Keras.

    Parameters
    ----------
    precision
        Selects the gates. `fp32`: every probability within 1e-5, no label flipped at any operating point, domain
        distances within a relative 1e-4, and heatmaps that correlate with those of Keras by at least 0.999. `fp16` and
        `int8`: within `LIMITS`, for ROC AUC, sensitivity and specificity at the default operating point, the share of
        films with another `in_domain`, and the median heatmap.
    reference
        The outputs of the Keras model for the same films.

    Raises
    ------
    ImageError
        A film cannot be read.
    """
    classifier = Classifier(file, device="cpu")
    predictions = list(classifier.predict_many(films.paths, batch_size=ONNX_BATCH))
    for prediction in predictions:
        if prediction.error:
            raise prediction.error
    probabilities = column(predictions, "probability")
    figures = {
        "keras": figures_at(classifier.threshold, films.targets, reference.probabilities),
        "onnx": figures_at(classifier.threshold, films.targets, probabilities),
    }
    order = np.argsort(-np.abs(probabilities - reference.probabilities))[:WORST_NAMED]
    if precision == "fp32":
        alone = [classifier.predict(path) for path in films.paths[:FILMS_READ_ALONE]]
        thresholds = [point.threshold for point in classifier.model.operating_points.values()]
        gates = equality_gates(reference, predictions, alone, thresholds)
    else:
        gates = figure_gates(reference, predictions, figures, LIMITS[precision])
    # Not as files: the classifier refuses blank films.
    adversarial = [classifier.predict_input("", NetworkInput(film[:, :, 0])) for film in adversarial_films()]
    return Proof(
        precision=precision,
        films=len(films.paths),
        source=films.source,
        gates=[*gates, adversarial_gate(precision, reference, adversarial)],
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
