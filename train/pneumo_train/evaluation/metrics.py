"""Classification metrics with intervals, and the choice of operating points."""

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
MIN_KERNEL_WIDTH = 0.01  # in logits, for scores without any spread


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """Compute the 95 % interval of a proportion (Wilson, JASA 22, 1927), or (0, 1) if `total` is 0."""
    if total == 0:
        return 0.0, 1.0
    interval = binomtest(successes, total).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def metrics_at_threshold(targets: Scores, probabilities: Scores, threshold: float, views: int = 1) -> dict[str, Any]:
    """Compute the metrics of the decisions at one threshold.

    Parameters
    ----------
    targets
        (N,), 1 for PNEUMONIA.
    probabilities
        (N,), calibrated P(PNEUMONIA).
    views
        Number of views of each film. Views of a film are not independent, so the intervals count each film once.

    Returns
    -------
    dict
        `threshold`, `sensitivity`, `specificity`, `precision`, `accuracy`, `f1`, the `counts`, and 95 % Wilson
        `intervals` of the proportions.
    """
    predicted, actual = probabilities >= threshold, targets == 1
    tp, fn = int((predicted & actual).sum()), int((~predicted & actual).sum())
    tn, fp = int((~predicted & ~actual).sum()), int((predicted & ~actual).sum())
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
    """Compute ROC AUC, average precision, Brier score and expected calibration error."""
    return {
        "auc": float(roc_auc_score(targets, probabilities)),
        "average_precision": float(average_precision_score(targets, probabilities)),
        "brier": float(brier_score_loss(targets, probabilities)),
        "expected_calibration_error": reliability(targets, probabilities).expected_error,
    }


def figures_at(threshold: float, targets: Scores, probabilities: Scores) -> dict[str, float]:
    """Compute `auc`, and `sensitivity` and `specificity` at a threshold."""
    decisions = metrics_at_threshold(targets, probabilities, threshold)
    return {
        "auc": threshold_free_metrics(targets, probabilities)["auc"],
        "sensitivity": decisions["sensitivity"],
        "specificity": decisions["specificity"],
    }


def bootstrap_by_patient(
    targets: Scores,
    probabilities: Scores,
    patients: Sequence[str],
    threshold: float,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Compute 95 % bootstrap intervals of ROC AUC, average precision, and F1 at a threshold.

    Films of one patient are not independent, so whole patients are resampled (Field & Welsh, "Bootstrapping Clustered
    Data", J. R. Stat. Soc. B 69, 2007). Classes are resampled separately, so that each sample contains both.

    Parameters
    ----------
    targets, probabilities
        (N,) each; targets are 1 for PNEUMONIA.
    patients
        Patient of each film, (N,).

    Returns
    -------
    dict
        `auc`, `average_precision` and `f1`: lower and upper end.
    """
    samples: dict[str, list[float]] = {"auc": [], "average_precision": [], "f1": []}
    for rows in _resampled_by_patient(targets, patients, draws, seed):
        samples["auc"].append(roc_auc_score(targets[rows], probabilities[rows]))
        samples["average_precision"].append(average_precision_score(targets[rows], probabilities[rows]))
        samples["f1"].append(f1_score(targets[rows], probabilities[rows] >= threshold, zero_division=0))
    return {name: (float(np.percentile(v, 2.5)), float(np.percentile(v, 97.5))) for name, v in samples.items()}


def auc_interval(
    targets: Scores, scores: NDArray[Any], patients: Sequence[str], draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Compute only the ROC AUC interval of `bootstrap_by_patient`, in a tenth of the time."""
    samples = [_auc(targets[rows], scores[rows]) for rows in _resampled_by_patient(targets, patients, draws, seed)]
    return float(np.percentile(samples, 2.5)), float(np.percentile(samples, 97.5))


def _auc(targets: Scores, scores: NDArray[Any]) -> float:
    """Compute the Mann-Whitney U statistic as a share of all pairs. Ties count half."""
    positives = int(targets.sum())
    rank_sum = rankdata(scores)[targets == 1].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * (len(targets) - positives)))


def _resampled_by_patient(
    targets: Scores, patients: Sequence[str], draws: int, seed: int
) -> Iterator[NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    rows_of = [_rows_by_patient(targets, np.asarray(patients), label) for label in (0, 1)]
    for _ in range(draws):
        yield np.concatenate([rows[i] for rows in rows_of for i in rng.integers(len(rows), size=len(rows))])


def _rows_by_patient(targets: Scores, patients: NDArray[np.str_], label: int) -> list[NDArray[np.intp]]:
    rows = np.flatnonzero(targets == label)
    _, groups = np.unique(patients[rows], return_inverse=True)
    return [rows[groups == group] for group in range(groups.max() + 1)]


def choose_operating_points(targets: Scores, views: Scores, chosen_on: str) -> dict[str, dict[str, Any]]:
    """Choose the thresholds of the operating points, such that screening <= balanced <= specific.

    - `balanced` maximises the sum of sensitivity and specificity (Youden, Cancer 3, 1950). The sum is computed from
      smoothed distributions (Fluss, Faraggi & Reiser, "Estimation of the Youden Index and its associated cutoff point",
      Biometrical Journal 47, 2005), because the empirical maximum often depends on one or two films.
    - `screening` is the highest threshold, at most `balanced`, with a sensitivity of at least 0.99.
    - `specific` is the lowest threshold, at least `balanced`, with a specificity of at least 0.99. If there is none
      that still classifies a view as PNEUMONIA, it is the one with the highest specificity.

    Each threshold is halfway between the probabilities of two views, so that rounding does not change decisions.

    Parameters
    ----------
    targets
        (N,), 1 for PNEUMONIA. Both classes must be present.
    views
        (V, N), calibrated P(PNEUMONIA) of V views of each film, such as its mirror image or other acquisition styles.
        With a few hundred films, the threshold for a sensitivity of 0.99 depends on single films; more views of each
        film make it more stable.
    chosen_on
        Description of the views, for the records.

    Returns
    -------
    dict
        Name to `threshold`, `sensitivity`, `specificity`, `intervals` and `chosen_on`.
    """
    targets, probabilities = np.tile(targets, len(views)), views.ravel()
    false_positive_rate, sensitivity, thresholds = roc_curve(targets, probabilities, drop_intermediate=False)
    # The first threshold of the curve is infinite.
    specificity, sensitivity, thresholds = 1 - false_positive_rate[1:], sensitivity[1:], thresholds[1:]
    midpoints = _midpoints_below(thresholds)
    below = [_smoothed_share_below(midpoints, probabilities[targets == label]) for label in (0, 1)]
    balanced = int(np.argmax(below[0] - below[1]))
    reachable = min(SPECIFIC_SPECIFICITY, specificity[0])
    # Index 0 is the highest threshold.
    indices = {
        "screening": max(balanced, int(np.argmax(sensitivity >= SCREENING_SENSITIVITY))),
        "balanced": balanced,
        "specific": min(balanced, int(np.flatnonzero(specificity >= reachable)[-1])),
    }
    points = {}
    for name, index in indices.items():
        figures = metrics_at_threshold(targets, probabilities, float(midpoints[index]), len(views))
        points[name] = {
            **{key: figures[key] for key in ("threshold", "sensitivity", "specificity")},
            "intervals": {key: figures["intervals"][key] for key in ("sensitivity", "specificity")},
            "chosen_on": chosen_on,
        }
    return points


def _midpoints_below(thresholds: NDArray[Any]) -> NDArray[Any]:
    """Return midpoints of each threshold and the next lower one, or 0, never rounded down to the lower one."""
    floors = np.append(thresholds[1:], thresholds.dtype.type(0))
    return np.asarray(np.minimum(thresholds, np.maximum((thresholds + floors) / 2, np.nextafter(floors, thresholds))))


def _smoothed_share_below(thresholds: NDArray[Any], probabilities: Scores) -> NDArray[np.float64]:
    """Estimate the share of probabilities below each threshold.

    Uses Gaussian kernels on the logits, with the width of Silverman's rule (Density Estimation, 1986, equation 3.31).
    """
    logits, logit_thresholds = logit(_clip(probabilities)), logit(_clip(thresholds))
    spread = min(np.std(logits), np.subtract(*np.percentile(logits, [75, 25])) / 1.34)
    width = max(0.9 * spread * len(logits) ** -0.2, MIN_KERNEL_WIDTH)
    return np.array([ndtr((threshold - logits) / width).mean() for threshold in logit_thresholds])


def _clip(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    return np.clip(np.asarray(probabilities, dtype=np.float64), 1e-9, 1 - 1e-9)
