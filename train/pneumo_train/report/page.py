"""The evaluation report: one self-contained HTML file with figures, plots and misclassified films."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit

from pneumo_infer import __version__
from pneumo_infer.films.raster import Film
from pneumo_infer.model.info import LABELS
from pneumo_infer.printable import printable
from pneumo_train.data.lung_fields import edges, lung_fields
from pneumo_train.evaluation.deletion import Deletion, blur_parts, hottest_part
from pneumo_train.evaluation.evaluation import Evaluation
from pneumo_train.model.calibration import reliability
from pneumo_train.report.plots import (
    draw_balance,
    draw_confusion,
    draw_corruptions,
    draw_curves,
    draw_falls,
    draw_films,
    draw_reliability,
    draw_roc_and_precision,
    to_png,
)
from pneumo_train.report.score_plots import draw_probabilities, draw_style
from pneumo_train.training.history import read_history

SAMPLES, EVIDENCE, MAX_ERRORS = 6, 6, 60
Rows = Sequence[int] | np.ndarray[Any, np.dtype[np.intp]]


def write_report(evaluation: Evaluation) -> str:
    """Render the report of an evaluation as HTML, with all pictures embedded."""
    environment = Environment(
        loader=PackageLoader("pneumo_train.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,  # not what macros return
    )
    environment.filters["percent"] = lambda value: f"{100 * value:.1f} %"
    return environment.get_template("report.html.j2").render(
        metrics=evaluation.metrics,
        points=evaluation.metrics["operating_points"],
        point=evaluation.metrics["operating_points"][evaluation.operating_point],
        description=evaluation.scorer.description,
        pictures={name: _embed(figure) for name, figure in _pictures(evaluation).items()},
        version=__version__,
    )


def _pictures(evaluation: Evaluation) -> dict[str, Figure]:
    metrics, targets, scored = evaluation.metrics, evaluation.targets, evaluation.scored
    point = metrics["operating_points"][evaluation.operating_point]
    before = np.asarray(expit(scored.logits), dtype=np.float32)
    pictures = {
        "balance": draw_balance(_balance(evaluation)),
        "probabilities": draw_probabilities(
            targets,
            scored.probabilities,
            {name: figures["threshold"] for name, figures in metrics["operating_points"].items()},
        ),
        "confusion": draw_confusion(point["counts"]),
        "roc": draw_roc_and_precision(targets, scored.probabilities, metrics["operating_points"]),
        "reliability": draw_reliability(reliability(targets, before), reliability(targets, scored.probabilities)),
    }
    for target, label in enumerate(LABELS):
        pictures[f"films {label}"] = _films(evaluation, _spread(np.flatnonzero(targets == target), SAMPLES))
    history = read_history(evaluation.scorer.path)
    if history:
        pictures["curves"] = draw_curves(history)
    if metrics["corruptions"]:
        uncorrupted = {"auc": metrics["auc"], **{name: point[name] for name in ("sensitivity", "specificity")}}
        pictures["corruptions"] = draw_corruptions(metrics["corruptions"], uncorrupted)
    if evaluation.style is not None:
        predicted = scored.probabilities >= evaluation.threshold
        pictures["style"] = draw_style(scored.logits, targets, evaluation.style, predicted)
    for name, predicted_positive in (("false negatives", False), ("false positives", True)):
        wrong = evaluation.outcome(predicted=predicted_positive, actual=not predicted_positive)
        if len(wrong):
            pictures[name] = _films(evaluation, wrong[:MAX_ERRORS])
    return pictures | _evidence(evaluation) | _deleted(evaluation)


def _evidence(evaluation: Evaluation) -> dict[str, Figure]:
    heatmaps = evaluation.scorer.heatmaps
    outcomes = {  # predicted and actual: PNEUMONIA
        "true positives": (True, True),
        "false positives": (True, False),
        "true negatives": (False, False),
        "false negatives": (False, True),
    }
    chosen = {name: evaluation.outcome(*labels)[:EVIDENCE] for name, labels in outcomes.items()}
    return {
        f"evidence {name}": _films(evaluation, rows, heatmaps(evaluation.films.pixels[rows]))
        for name, rows in chosen.items()
        if len(rows)
    }


def _deleted(evaluation: Evaluation) -> dict[str, Figure]:
    """Draw the mean falls of the logit, and PNEUMONIA films before and after deletion of their hottest fifth."""
    deletion = evaluation.deletion
    positives = np.flatnonzero(evaluation.targets == 1)
    rows = np.array(_spread(np.flatnonzero(deletion.maps.max(axis=(1, 2)) > 0), SAMPLES), dtype=int)
    pictures = {"falls": draw_falls(evaluation.metrics["heatmap"])}
    if len(rows):
        pictures["deleted"] = _before_and_after(evaluation.films.pixels[positives[rows]], deletion, rows)
    return pictures


def _before_and_after(films: Film, deletion: Deletion, rows: NDArray[np.intp]) -> Figure:
    outlined = films.copy()
    outlined[edges(lung_fields(films))] = 255
    parts = np.stack([hottest_part(heatmap) for heatmap in deletion.maps[rows]])
    deleted = blur_parts(films, parts)
    deleted[edges(parts)] = 255
    captions = [f"logit {deletion.before[row]:.2f}" for row in rows]
    captions += [f"without the hottest fifth: {deletion.without_hottest[row]:.2f}" for row in rows]
    blank = np.zeros_like(deletion.maps[rows])
    maps = np.concatenate([deletion.maps[rows], blank])
    return draw_films(np.concatenate([outlined, deleted]), captions, maps, columns=len(rows))


def _films(evaluation: Evaluation, rows: Rows, heatmaps: Any = None) -> Figure:
    captions = [
        f"{printable(Path(evaluation.films.films[row].path).stem)}\n{evaluation.scored.probabilities[row]:.3f}"
        for row in rows
    ]
    return draw_films(evaluation.films.pixels[np.asarray(rows)], captions, heatmaps)


def _balance(evaluation: Evaluation) -> dict[str, dict[str, int]]:
    films = evaluation.scorer.description.data.films
    return {
        **{f"{split} (model)": counts for split, counts in films.items()},
        "this evaluation": dict(Counter(film.label for film in evaluation.films.films)),
    }


def _spread(rows: np.ndarray[Any, np.dtype[np.intp]], count: int) -> list[int]:
    positions = np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)
    return [int(rows[position]) for position in positions]


def _embed(figure: Figure) -> Markup:
    return Markup("data:image/png;base64,") + base64.b64encode(to_png(figure)).decode()
