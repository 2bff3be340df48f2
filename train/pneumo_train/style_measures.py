"""How far a model relies on acquisition style: its figures on typical and atypical films, its logit beside their score.

A model that reads the lungs decides atypical films, whose style points to the other class, as well as typical ones, and
within a class its logit and the style score have little to do with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pneumo_infer.model import LABELS
from pneumo_train.calibrate import Scores
from pneumo_train.measures import auc_interval, measure
from pneumo_train.style import StyleScores, is_atypical

FEWEST_PATIENTS = 5  # of a class, for an AUC or a correlation
DECIDED = {"sensitivity": "PNEUMONIA", "specificity": "NORMAL"}


def measure_style(
    logits: Scores,
    probabilities: Scores,
    targets: Scores,
    patients: Sequence[str],
    style: StyleScores,
    threshold: float,
) -> dict[str, Any]:
    """Measure a model on typical and on atypical films, and how its logit goes with the style score.

    Parameters
    ----------
    logits, probabilities
        (N,), what the model says of the films.
    targets
        (N,), 1 for PNEUMONIA.
    patients
        (N,), whose each film is.
    style
        (N,), by a style model that saw no film of these patients.
    threshold
        Of the probability, from which on a film is called PNEUMONIA.

    Returns
    -------
    dict
        JSON-ready. `style_auc`: how well style alone tells the label. `typical` and `atypical`: films of each class;
        AUC, sensitivity and specificity, each as `value` and 95 % `interval` (Wilson's; a bootstrap by patient for the
        AUC). `correlation`: Pearson's, of logit and style score, for each class. A figure is None where a class that it
        needs has no film, an AUC or a correlation also where it has fewer than five patients.
    """
    groups, atypical = np.asarray(patients), is_atypical(style, targets)
    return {
        "threshold": float(threshold),
        "style_auc": _auc(targets, style, groups),
        **{
            name: _figures(targets[rows], probabilities[rows], groups[rows], threshold)
            for name, rows in (("typical", ~atypical), ("atypical", atypical))
        },
        "correlation": {
            label: _correlation(logits[rows], style[rows], groups[rows])
            for label, rows in ((label, targets == number) for number, label in enumerate(LABELS))
        },
    }


def _figures(targets: Scores, probabilities: Scores, groups: NDArray[np.str_], threshold: float) -> dict[str, Any]:
    decided = measure(targets, probabilities, threshold)
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
    if min(_patients(groups[targets == label]) for label in (0, 1)) < FEWEST_PATIENTS:
        return None
    return {
        "value": float(roc_auc_score(targets, scores)),
        "interval": auc_interval(targets, scores, groups.tolist()),
    }


def _correlation(logits: Scores, style: StyleScores, groups: NDArray[np.str_]) -> float | None:
    if _patients(groups) < FEWEST_PATIENTS or np.ptp(logits) == 0 or np.ptp(style) == 0:
        return None
    return float(np.corrcoef(logits.astype(np.float64), style)[0, 1])


def _patients(groups: NDArray[np.str_]) -> int:
    return len(np.unique(groups))
