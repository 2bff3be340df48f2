"""Any model of ours, Keras or ONNX, as something that scores films."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pneumo_infer.classifier import describe
from pneumo_infer.errors import ModelError
from pneumo_infer.films.raster import Film
from pneumo_infer.model.session import open_session
from pneumo_train.model.calibration import Scores
from pneumo_train.model.conformal import UncertainBand
from pneumo_train.model.network import heatmaps_of
from pneumo_train.model.trained import load_trained

BATCH = 32
SCORES = ("logit", "probability", "domain_distance")
Heatmaps = Scores  # (N, S, S)


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of films, float32 (N,) each: logit, calibrated probability of PNEUMONIA, domain distance."""

    logits: Scores
    probabilities: Scores
    distances: Scores


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model that scores films.

    Attributes
    ----------
    description
        Operating points, default operating point, uncertain band, data and weights, as pneumo-train wrote them.
    run
        uint8 (B, 224, 224, 1) to what the model says of them.
    heatmaps
        uint8 (B, 224, 224, 1) to evidence for PNEUMONIA, float32 (B, S, S); None where the model gives no heatmap.
    """

    path: Path
    description: dict[str, Any]
    run: Callable[[Film], Scored]
    heatmaps: Callable[[Film], Heatmaps] | None

    def score(self, pixels: Film, on_films: Callable[[int], object] = lambda count: None) -> Scored:
        """Score films batch by batch; `on_films` hears how many were done."""
        parts = []
        for start in range(0, len(pixels), BATCH):
            batch = np.ascontiguousarray(pixels[start : start + BATCH])
            parts.append(self.run(batch))
            on_films(len(batch))
        return Scored(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.distances for part in parts]),
        )

    @property
    def domain_limit(self) -> float:
        """The distance beyond which a film is out of the domain."""
        return float(self.description["ood"]["limit"])

    @property
    def uncertain_band(self) -> UncertainBand | None:
        """The band of probabilities that are left to a reader, where the model has one."""
        band = self.description.get("uncertain_band")
        return None if band is None else UncertainBand(band["low"], band["high"])


def load_scorer(path: Path) -> Scorer:
    """Open a `.keras` file of pneumo-train or an `.onnx` file of pneumo-export.

    Raises
    ------
    RunError, ModelError
        The file cannot be used.
    MissingExtraError
        It is an ONNX file, and onnxruntime is not installed.
    """
    return _onnx_scorer(path) if path.suffix.lower() == ".onnx" else _keras_scorer(path)


def _keras_scorer(path: Path) -> Scorer:
    trained = load_trained(path)
    model = trained.keras_model

    def run(films: Film) -> Scored:
        outputs = model.predict_on_batch(films)
        return Scored(*(outputs[name][:, 0] for name in SCORES))

    return Scorer(path, trained.description, run, heatmaps_of(model.get_layer("trunk")))


def _onnx_scorer(path: Path) -> Scorer:
    session, _ = open_session(path)
    model = describe(path, session)
    entries = model.metadata
    structured = ("labels", "operating_points", "metrics", "data", "uncertain_band", "weights", "calibration")
    try:
        description = {key: json.loads(entries[key]) for key in structured if key in entries}
    except ValueError as error:
        raise ModelError(path.name, f"has malformed metadata ({error})", "export it again") from error
    description |= {"default_operating_point": entries["default_operating_point"], "version": entries["version"]}
    # Each file has a limit of its own.
    description["ood"] = {"limit": model.domain_limit}

    def run(films: Film) -> Scored:
        return Scored(*session.run(list(SCORES), {"image": films}))

    def heatmaps(films: Film) -> Heatmaps:
        return np.asarray(session.run(["heatmap"], {"image": films})[0])

    return Scorer(path, description, run, heatmaps)
