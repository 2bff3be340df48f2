"""How much a model relies on acquisition style: metrics on typical and atypical films, correlation with style scores.

A model that relies on the lungs is as accurate on atypical films, whose style points to the other class, as on typical
ones, and within a class its logit hardly correlates with the style score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pneumo_infer.films.raster import Film
from pneumo_infer.model.info import LABELS
from pneumo_train.data.batches import TrainingFilms
from pneumo_train.errors import DataError
from pneumo_train.evaluation.metrics import auc_interval, metrics_at_threshold
from pneumo_train.model.calibration import Scores
from pneumo_train.style.acquisition import StyleModel, StyleScores, fit_style, is_atypical, style_statistics

MIN_PATIENTS = 5  # per class, for an AUC or a correlation
DECIDED = {"sensitivity": "PNEUMONIA", "specificity": "NORMAL"}


def measure_style(
    logits: Scores,
    probabilities: Scores,
    targets: Scores,
    patients: Sequence[str],
    style: StyleScores,
    threshold: float,
) -> dict[str, Any]:
    """Measure a model on typical and on atypical films, and how its logit correlates with the style score.

    Parameters
    ----------
    logits, probabilities
        (N,), the model's outputs.
    targets
        (N,), 1 for PNEUMONIA.
    patients
        (N,), the patient of each film.
    style
        (N,), scores of a style model that saw no film of these patients.
    threshold
        Probability from which on a film is classified as PNEUMONIA.

    Returns
    -------
    dict
        JSON-ready. `typical` and `atypical`: number of films of each class; AUC, sensitivity and specificity, each with
        `value` and 95 % `interval` (Wilson's, or a bootstrap by patient for the AUC). `correlation`: Pearson's
        correlation of logit and style score in each class. A figure is None if a class that it needs has no films; an
        AUC or a correlation is also None if a class has fewer than five patients.
    """
    groups, atypical = np.asarray(patients), is_atypical(style, targets)
    return {
        "threshold": float(threshold),
        **{
            name: _figures(targets[rows], probabilities[rows], groups[rows], threshold)
            for name, rows in (("typical", ~atypical), ("atypical", atypical))
        },
        "correlation": {
            label: _correlation(logits[rows], style[rows], groups[rows])
            for label, rows in ((label, targets == number) for number, label in enumerate(LABELS))
        },
    }


def describe_style(
    films: TrainingFilms,
    patients: Sequence[str],
    measured_on: str,
    logits: Scores,
    probabilities: Scores,
    threshold: float,
) -> dict[str, Any] | None:
    """Measure a model to be released on held-out films, with a style model that is fitted on its training films.

    Parameters
    ----------
    patients
        (N,), the patient of each film in `films`.
    measured_on
        The split that `logits` and `probabilities` belong to.

    Returns
    -------
    dict
        The result of `measure_style`, and `style_auc`: how well style alone predicts the label of training films, out
        of fold. None if there are not enough patients in training to fit a style model.
    """
    groups, train, held_out = np.asarray(patients), films.rows["train"], films.rows[measured_on]
    model = _fit_if_enough(films.pixels[train], films.targets[train], groups[train])
    if model is None:
        return None
    style = model.score(style_statistics(films.pixels[held_out]))
    return {
        "measured_on": measured_on,
        "style_auc": _auc(films.targets[train], model.out_of_fold, groups[train]),
        **measure_style(logits, probabilities, films.targets[held_out], groups[held_out].tolist(), style, threshold),
    }


def measure_own_style(
    pixels: Film, logits: Scores, probabilities: Scores, targets: Scores, patients: Sequence[str], threshold: float
) -> tuple[dict[str, Any], StyleScores] | None:
    """Measure a model on films with a style model that is fitted on the same films and scores them out of fold.

    Returns
    -------
    tuple
        The result of `measure_style` with `style_auc`, how well style alone predicts the label; and the style scores,
        (N,). None if there are not enough patients to fit a style model.
    """
    model = _fit_if_enough(pixels, targets, np.asarray(patients))
    if model is None:
        return None
    style = model.out_of_fold
    figures = measure_style(logits, probabilities, targets, patients, style, threshold)
    return {"style_auc": _auc(targets, style, np.asarray(patients)), **figures}, style


def _fit_if_enough(pixels: Film, targets: Scores, groups: NDArray[np.str_]) -> StyleModel | None:
    statistics = style_statistics(pixels)
    try:
        return fit_style(statistics, targets, groups.tolist())
    except DataError:
        return None


def _figures(targets: Scores, probabilities: Scores, groups: NDArray[np.str_], threshold: float) -> dict[str, Any]:
    decided = metrics_at_threshold(targets, probabilities, threshold)
    films = {label: int((targets == number).sum()) for number, label in enumerate(LABELS)}
    return {
        "films": films,
        "auc": _auc(targets, probabilities, groups),
        **{
            name: {"value": decided[name], "interval": decided["intervals"][name]} if films[label] else None
            for name, label in DECIDED.items()
        },
    }


def _auc(targets: Scores, scores: Scores | StyleScores, groups: NDArray[np.str_]) -> dict[str, Any] | None:
    if min(_count_patients(groups[targets == label]) for label in (0, 1)) < MIN_PATIENTS:
        return None
    return {
        "value": float(roc_auc_score(targets, scores)),
        "interval": auc_interval(targets, scores, groups.tolist()),
    }


def _correlation(logits: Scores, style: StyleScores, groups: NDArray[np.str_]) -> float | None:
    if _count_patients(groups) < MIN_PATIENTS or np.ptp(logits) == 0 or np.ptp(style) == 0:
        return None
    return float(np.corrcoef(logits.astype(np.float64), style)[0, 1])


def _count_patients(groups: NDArray[np.str_]) -> int:
    return len(np.unique(groups))
