"""One interface to score films with Keras and ONNX models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pneumo_infer.films.raster import Film
from pneumo_infer.model.contract import describe
from pneumo_infer.model.session import open_session
from pneumo_train.data.batches import predict
from pneumo_train.data.chunks import in_batches
from pneumo_train.model.calibration import Scores
from pneumo_train.model.file_description import FileDescription
from pneumo_train.model.trained import load_trained

SCORES = ("logit", "probability", "domain_distance")
Heatmaps = Scores  # (N, S, S)


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of films, float32 (N,) each: logit, calibrated probability of PNEUMONIA, domain distance."""

    logits: Scores
    probabilities: Scores
    distances: Scores


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model that scores films.

    Attributes
    ----------
    description
        The description in the file. For ONNX files, `ood.limit` is the domain limit of that file.
    run
        Scores a batch, uint8 (B, 224, 224, 1).
    heatmaps
        Computes the evidence for PNEUMONIA in a batch, uint8 (B, 224, 224, 1) to float32 (B, S, S).
    """

    path: Path
    description: FileDescription
    run: Callable[[Film], Scored]
    heatmaps: Callable[[Film], Heatmaps]

    def score(self, pixels: Film, on_films: Callable[[int], object] = lambda count: None) -> Scored:
        """Score films, uint8 (N, 224, 224, 1), in batches, and call `on_films` with the size of each batch."""
        parts = []
        for batch in in_batches(pixels):
            parts.append(self.run(batch))
            on_films(len(batch))
        return Scored(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.distances for part in parts]),
        )


def load_scorer(path: Path) -> Scorer:
    """Open a `.keras` file of pneumo-train or an `.onnx` file of pneumo-export.

    Raises
    ------
    RunError, ModelError
        The file cannot be read, or it is not a valid model.
    MissingExtraError
        The file is an ONNX file, and onnxruntime is not installed.
    """
    return _onnx_scorer(path) if path.suffix.lower() == ".onnx" else _keras_scorer(path)


def _keras_scorer(path: Path) -> Scorer:
    trained = load_trained(path)
    model = trained.keras_model
    trunk = model.get_layer("trunk")

    def run(films: Film) -> Scored:
        outputs = predict(model, films)
        return Scored(*(outputs[name][:, 0] for name in SCORES))

    def heatmaps(films: Film) -> Heatmaps:
        return np.asarray(predict(trunk, films)["heatmap"])

    return Scorer(path, trained.description, run, heatmaps)


def _onnx_scorer(path: Path) -> Scorer:
    opened = open_session(path)
    session, model = opened.session, describe(opened)
    description = FileDescription.from_metadata(path.name, model.metadata)
    ood = description.ood.model_copy(update={"limit": model.domain_limit})

    def run(films: Film) -> Scored:
        return Scored(*session.run(list(SCORES), {"image": films}))

    def heatmaps(films: Film) -> Heatmaps:
        return np.asarray(session.run(["heatmap"], {"image": films})[0])

    return Scorer(path, description.model_copy(update={"ood": ood}), run, heatmaps)
