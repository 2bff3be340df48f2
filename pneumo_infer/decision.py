"""How a probability becomes a label, and a label an outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from pneumo_infer.errors import ModelError
from pneumo_infer.films.dicom.header import FilmHeader, contradictions
from pneumo_infer.model.info import LABELS, ModelInfo
from pneumo_infer.prediction import HEADER, NEEDS_REVIEW, OUT_OF_DOMAIN, UNCERTAIN, Prediction


class Decision(NamedTuple):
    """What is decided about a film; the fields are those of `Prediction`."""

    outcome: str
    reason: str | None
    label: str
    in_domain: bool


def decide(
    model: ModelInfo, threshold: float, probability: float, domain_distance: float, header: FilmHeader | None
) -> Decision:
    """Apply the threshold to a probability, and check whether the film needs review."""
    in_domain = domain_distance <= model.domain_limit
    reason = _reason_for_review(model, probability, in_domain, header)
    outcome, label = _outcome(probability, threshold, reason)
    return Decision(outcome, reason, label, in_domain)


def _outcome(probability: float, threshold: float, reason: str | None) -> tuple[str, str]:
    label = LABELS[probability >= threshold]
    return NEEDS_REVIEW if reason else label, label


def decide_again(prediction: Prediction, threshold: float, operating_point: str | None) -> Prediction:
    """Apply another threshold to a prediction. Why a film needs review does not depend on the threshold."""
    changed = replace(prediction, threshold=threshold, operating_point=operating_point)
    if prediction.probability is None:
        return changed
    outcome, label = _outcome(prediction.probability, threshold, prediction.reason)
    return replace(changed, outcome=outcome, label=label)


def number_or_name(threshold: str | None) -> float | str | None:
    """Parse a threshold as users write it: a number, or the name of an operating point."""
    try:
        return None if threshold is None else float(threshold)
    except ValueError:
        return threshold


def resolve_threshold(model: ModelInfo, threshold: float | str | None) -> tuple[float, str | None]:
    """Return the threshold that a user has chosen, and the name of its operating point if it has one.

    Parameters
    ----------
    threshold
        A probability from 0 to 1, the name of an operating point, or None for the default one.

    Raises
    ------
    ModelError
        The model has no such operating point, or the number is not a probability.
    """
    if threshold is None or isinstance(threshold, str):
        point = model.operating_point(threshold)
        return point.threshold, point.name
    if not 0.0 <= threshold <= 1.0:
        raise ModelError(f"threshold {threshold}", "not a probability", "give a number from 0 to 1")
    return float(threshold), None


def _reason_for_review(model: ModelInfo, probability: float, in_domain: bool, header: FilmHeader | None) -> str | None:
    if header is not None and contradictions(header, model.population):
        return HEADER
    if not in_domain:  # checked first, because the probability of such a film is meaningless
        return OUT_OF_DOMAIN
    low, high = model.uncertain_band or (1.0, 0.0)
    return UNCERTAIN if low <= probability <= high else None
