"""Draw the curves of a model card from the files of the training run next to the Keras file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from pydantic import BaseModel
from scipy.special import expit

from pneumo_train.data.label import Label
from pneumo_train.model.calibration import Scores, reliability
from pneumo_train.model.trained import TrainedModel
from pneumo_train.report.plots import draw_corruptions, draw_curves, draw_reliability, draw_roc_and_precision, save
from pneumo_train.side_files import SideFile
from pneumo_train.training.history import read_history

# File name to caption.
CAPTIONS = {
    "roc.png": "ROC and precision-recall curves with the operating points",
    "reliability.png": "Predicted probabilities and observed shares of PNEUMONIA, before and after calibration",
    "corruptions.png": "Performance under corruptions, and without (dotted)",
    "curves.png": "Training curves by phase",
}


class PredictedFilm(BaseModel):
    """A row of predictions.csv."""

    split: str
    label: Label
    logit: float
    probability: float


def draw_card(source: TrainedModel, folder: Path) -> dict[str, str]:
    """Write the card's pictures into a new folder.

    Returns
    -------
    dict
        File name to caption, in the order of `CAPTIONS`.
    """
    drawn = _draw(source)
    folder.mkdir()
    for name, figure in drawn.items():
        save(figure, folder / name)
    return {name: caption for name, caption in CAPTIONS.items() if name in drawn}


def _draw(source: TrainedModel) -> dict[str, Figure]:
    """Draw the pictures whose data is available: the Keras file may have been moved without them."""
    described = source.description
    split = described.corruptions.measured_on
    measured = described.metrics[split].model_dump()
    points = measured["operating_points"]
    plain = {**points[described.default_operating_point], "auc": measured["auc"]}
    figures = {"corruptions.png": draw_corruptions(described.corruptions.model_dump()["figures"], plain)}
    predictions = _predictions(source.path.with_name("predictions.csv"), split)
    if predictions is not None:
        targets, logits, probabilities = predictions
        before = np.asarray(expit(logits), dtype=np.float32)
        figures["roc.png"] = draw_roc_and_precision(targets, probabilities, points)
        figures["reliability.png"] = draw_reliability(reliability(targets, before), reliability(targets, probabilities))
    history = read_history(source.path)
    if history:
        figures["curves.png"] = draw_curves(history)
    return figures


def _predictions(path: Path, split: str) -> tuple[Scores, Scores, Scores] | None:
    """Return targets, logits and probabilities of one split from predictions.csv, or None if the file is missing."""
    if not path.is_file():
        return None
    rows = [row for _, row in SideFile(path, "restore or delete it").rows(PredictedFilm) if row.split == split]
    targets = np.array([row.label is Label.PNEUMONIA for row in rows], dtype=np.float32)
    logits = np.array([row.logit for row in rows], dtype=np.float32)
    return targets, logits, np.array([row.probability for row in rows], dtype=np.float32)
