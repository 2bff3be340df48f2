"""How good a model is, the way medicine asks: sensitivity and specificity with intervals, then the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, ndtr
from scipy.stats import binomtest, rankdata
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, roc_auc_score, roc_curve

from pneumo_train.model.calibration import Scores, reliability

SCREENING_SENSITIVITY = 0.99
SPECIFIC_SPECIFICITY = 0.99
NARROWEST_KERNEL = 0.01  # logits; films that are all alike have no spread


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson, JASA 22, 1927); 0 to 1 where there is nothing to count."""
    if total == 0:
        return 0.0, 1.0
    interval = binomtest(successes, total).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def metrics_at_threshold(targets: Scores, probabilities: Scores, threshold: float, views: int = 1) -> dict[str, Any]:
    """Measure the decisions at one threshold.

    Parameters
    ----------
    targets
        (N,), 1 for PNEUMONIA.
    probabilities
        (N,), calibrated P(PNEUMONIA).
    views
        How often each film is among them. Views of one film resemble each other: the intervals count each film once.

    Returns
    -------
    dict
        Sensitivity, specificity, precision, F1 and accuracy, with 95 % Wilson intervals where they are proportions,
        and the counts behind them.
    """
    called, ill = probabilities >= threshold, targets == 1
    tp, fn = int((called & ill).sum()), int((~called & ill).sum())
    tn, fp = int((~called & ~ill).sum()), int((called & ~ill).sum())
    proportions = {
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "precision": (tp, tp + fp),
        "accuracy": (tp + tn, len(targets)),
    }
    return {
        "threshold": float(threshold),
        **{name: part / whole if whole else 0.0 for name, (part, whole) in proportions.items()},
        "f1": 2 * tp / (2 * tp + fp + fn) if tp else 0.0,
        "intervals": {
            name: wilson_interval(part // views, whole // views) for name, (part, whole) in proportions.items()
        },
        "counts": {"true_positive": tp, "false_negative": fn, "true_negative": tn, "false_positive": fp},
    }


def threshold_free_metrics(targets: Scores, probabilities: Scores) -> dict[str, float]:
    """Measure what needs no threshold: ROC AUC, average precision, Brier score and expected calibration error."""
    return {
        "auc": float(roc_auc_score(targets, probabilities)),
        "average_precision": float(average_precision_score(targets, probabilities)),
        "brier": float(brier_score_loss(targets, probabilities)),
        "expected_calibration_error": reliability(targets, probabilities).expected_error,
    }


def figures_at(threshold: float, targets: Scores, probabilities: Scores) -> dict[str, float]:
    """What a change of precision or engine must not change: `auc`, `sensitivity` and `specificity`."""
    decided = metrics_at_threshold(targets, probabilities, threshold)
    return {
        "auc": threshold_free_metrics(targets, probabilities)["auc"],
        "sensitivity": decided["sensitivity"],
        "specificity": decided["specificity"],
    }


def bootstrap_by_patient(
    targets: Scores,
    probabilities: Scores,
    patients: Sequence[str],
    threshold: float,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % intervals of ROC AUC, average precision, and F1 at a threshold: percentiles over patients drawn anew.

    Films of one patient resemble each other, so that patients are drawn, each with all of their films (Field & Welsh,
    "Bootstrapping Clustered Data", J. R. Stat. Soc. B 69, 2007). Each class is drawn apart, so that both are always
    there.
    """
    drawn: dict[str, list[float]] = {"auc": [], "average_precision": [], "f1": []}
    for rows in _drawn_by_patient(targets, patients, draws, seed):
        drawn["auc"].append(roc_auc_score(targets[rows], probabilities[rows]))
        drawn["average_precision"].append(average_precision_score(targets[rows], probabilities[rows]))
        drawn["f1"].append(f1_score(targets[rows], probabilities[rows] >= threshold, zero_division=0))
    return {name: (float(np.percentile(v, 2.5)), float(np.percentile(v, 97.5))) for name, v in drawn.items()}


def auc_interval(
    targets: Scores, scores: NDArray[Any], patients: Sequence[str], draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the ROC AUC alone, as `bootstrap_by_patient` gives it, in a tenth of the time."""
    drawn = [_auc(targets[rows], scores[rows]) for rows in _drawn_by_patient(targets, patients, draws, seed)]
    return float(np.percentile(drawn, 2.5)), float(np.percentile(drawn, 97.5))


def _auc(targets: Scores, scores: NDArray[Any]) -> float:
    """Mann & Whitney's U as a share of all pairs; ties count half."""
    ill = int(targets.sum())
    return float((rankdata(scores)[targets == 1].sum() - ill * (ill + 1) / 2) / (ill * (len(targets) - ill)))


def _drawn_by_patient(targets: Scores, patients: Sequence[str], draws: int, seed: int) -> Iterator[NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    rows_of = [_rows_by_patient(targets, np.asarray(patients), label) for label in (0, 1)]
    for _ in range(draws):
        yield np.concatenate([rows[i] for rows in rows_of for i in rng.integers(len(rows), size=len(rows))])


def _rows_by_patient(targets: Scores, patients: NDArray[np.str_], label: int) -> list[NDArray[np.intp]]:
    rows = np.flatnonzero(targets == label)
    _, groups = np.unique(patients[rows], return_inverse=True)
    return [rows[groups == group] for group in range(groups.max() + 1)]


def choose_operating_points(targets: Scores, views: Scores, chosen_on: str) -> dict[str, dict[str, Any]]:
    """Fix the named thresholds on views of one set of films, in the order screening <= balanced <= specific.

    `balanced` has the largest sum of sensitivity and specificity (Youden, Cancer 3, 1950). That sum is taken of
    smoothed distributions (Fluss, Faraggi & Reiser, "Estimation of the Youden Index and its associated cutoff point",
    Biometrical Journal 47, 2005): the largest sum that was counted often hangs on one or two films. `screening` has the
    highest threshold up to `balanced` with a sensitivity of at least 0.99. `specific` has the lowest threshold from
    `balanced` on with a specificity of at least 0.99; where none has that and still calls a view, the most specific
    that does. Each threshold lies half way between two views' probabilities, so that none of them hangs on the last
    digit.

    Parameters
    ----------
    targets
        (N,), 1 for PNEUMONIA; both classes.
    views
        (V, N), calibrated P(PNEUMONIA) of each film in V views of it, such as its mirror image or other acquisition
        styles. In a few hundred films the one to which 0.99 of the sensitivity leads is an accident; further views of
        each make it less of one.
    chosen_on
        Names the views, for the record.
    """
    targets, probabilities = np.tile(targets, len(views)), views.ravel()
    false_positive_rate, sensitivity, thresholds = roc_curve(targets, probabilities, drop_intermediate=False)
    # The first threshold of the curve is infinite: it calls nothing.
    specificity, sensitivity, thresholds = 1 - false_positive_rate[1:], sensitivity[1:], thresholds[1:]
    midpoints = _midpoints_below(thresholds)
    below = [_smoothed_share_below(midpoints, probabilities[targets == label]) for label in (0, 1)]
    balanced = int(np.argmax(below[0] - below[1]))
    aimed_at = min(SPECIFIC_SPECIFICITY, specificity[0])
    # Positions count from the highest threshold.
    chosen = {
        "screening": max(balanced, int(np.argmax(sensitivity >= SCREENING_SENSITIVITY))),
        "balanced": balanced,
        "specific": min(balanced, int(np.flatnonzero(specificity >= aimed_at)[-1])),
    }
    points = {}
    for name, position in chosen.items():
        figures = metrics_at_threshold(targets, probabilities, float(midpoints[position]), len(views))
        points[name] = {
            **{key: figures[key] for key in ("threshold", "sensitivity", "specificity")},
            "intervals": {key: figures["intervals"][key] for key in ("sensitivity", "specificity")},
            "chosen_on": chosen_on,
        }
    return points


def _midpoints_below(thresholds: NDArray[Any]) -> NDArray[Any]:
    """Half way from each threshold to the next lower one, or to 0, yet never as low as that one by rounding."""
    floors = np.append(thresholds[1:], thresholds.dtype.type(0))
    return np.asarray(np.minimum(thresholds, np.maximum((thresholds + floors) / 2, np.nextafter(floors, thresholds))))


def _smoothed_share_below(thresholds: NDArray[Any], probabilities: Scores) -> NDArray[np.float64]:
    """Gaussian kernels on the scale of logits, as wide as Silverman's rule says (Density Estimation, 1986, 3.31)."""
    logits, at = logit(_inside(probabilities)), logit(_inside(thresholds))
    spread = min(np.std(logits), np.subtract(*np.percentile(logits, [75, 25])) / 1.34)
    width = max(0.9 * spread * len(logits) ** -0.2, NARROWEST_KERNEL)
    return np.array([ndtr((threshold - logits) / width).mean() for threshold in at])


def _inside(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    return np.clip(np.asarray(probabilities, dtype=np.float64), 1e-9, 1 - 1e-9)
