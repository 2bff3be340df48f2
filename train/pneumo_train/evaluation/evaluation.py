"""Compute all figures of a model on one set of films."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from pneumo_infer.films.raster import Film
from pneumo_infer.model.info import LABELS
from pneumo_train.data.decode import DecodedFilms
from pneumo_train.data.index import IndexedFilm
from pneumo_train.evaluation.corruptions import measure_corruptions, worst_corruptions
from pneumo_train.evaluation.deletion import Deletion, delete_evidence
from pneumo_train.evaluation.metrics import (
    bootstrap_by_patient,
    metrics_at_threshold,
    threshold_free_metrics,
    wilson_interval,
)
from pneumo_train.evaluation.scorer import Scored, Scorer
from pneumo_train.model.calibration import Scores, calibration_error_by_chance
from pneumo_train.model.file_description import UncertainBand
from pneumo_train.ood.metrics import measure_ood, share_flagged
from pneumo_train.style.acquisition import StyleScores
from pneumo_train.style.metrics import measure_own_style

KINDS = {"bacteria": "bacterial", "virus": "viral"}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of a model on a set of films.

    Attributes
    ----------
    films
        The decoded films, in the order of `targets` and `scored`.
    targets
        float32 (N,), 1 for PNEUMONIA.
    operating_point
        Name of the operating point that decides the labels.
    metrics
        All figures, JSON-ready.
    deletion
        Results of the deletion test on the PNEUMONIA films.
    style
        float64 (N,), style scores of the films. None if the films are from too few patients.
    """

    scorer: Scorer
    films: DecodedFilms
    targets: Scores
    scored: Scored
    operating_point: str
    metrics: dict[str, Any]
    deletion: Deletion
    style: StyleScores | None

    @property
    def threshold(self) -> float:
        return self.scorer.description.operating_points[self.operating_point].threshold

    def outcome(self, predicted: bool, actual: bool) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Return the rows of films with this predicted and actual label (True: PNEUMONIA), most confident first."""
        probabilities = self.scored.probabilities
        rows = np.flatnonzero(((probabilities >= self.threshold) == predicted) & ((self.targets == 1) == actual))
        return rows[np.argsort(-probabilities[rows] if predicted else probabilities[rows], kind="stable")]


def measure_films(
    scorer: Scorer,
    decoded: DecodedFilms,
    operating_point: str,
    corruptions: list[str],
    on_films: Callable[[int], object],
    others: Mapping[str, Film],
) -> Evaluation:
    """Compute all figures.

    Parameters
    ----------
    scorer
        The model.
    decoded
        The films.
    operating_point
        Name of the operating point that decides the labels.
    corruptions
        Names of the corruptions to apply.
    on_films
        Called with the number of films after each scored batch.
    others
        Other films that should be flagged, by kind.
    """
    targets = np.array([film.is_pneumonia for film in decoded.films], dtype=np.float32)
    scored = scorer.score(decoded.pixels, on_films)
    threshold = scorer.description.operating_points[operating_point].threshold
    patients = [film.patient for film in decoded.films]
    metrics: dict[str, Any] = {
        "model": scorer.path.name,
        "default_operating_point": operating_point,
        "films": len(targets),
        "patients": len(set(patients)),
        "classes": dict(Counter(film.label for film in decoded.films)),
        **threshold_free_metrics(targets, scored.probabilities),
        "calibration_error_by_chance": calibration_error_by_chance(scored.probabilities),
        "intervals": bootstrap_by_patient(targets, scored.probabilities, patients, threshold),
        "operating_points": {
            name: metrics_at_threshold(targets, scored.probabilities, point.threshold)
            for name, point in scorer.description.operating_points.items()
        },
        "kinds": _sensitivity_by_kind(decoded.films, scored.probabilities >= threshold),
        "calibration": {
            "before": threshold_free_metrics(targets, np.asarray(expit(scored.logits), dtype=np.float32)),
            "after": threshold_free_metrics(targets, scored.probabilities),
        },
        "unreadable": decoded.unreadable,
    }
    band = scorer.description.uncertain_band
    metrics["uncertain"] = _measure_band(band, targets, scored.probabilities, threshold)
    predicted = scored.probabilities >= threshold
    for name, wrong in (
        ("false_negatives", ~predicted & (targets == 1)),
        ("false_positives", predicted & (targets == 0)),
    ):
        metrics[name] = [
            {"path": decoded.films[row].path, "probability": float(scored.probabilities[row])}
            for row in np.flatnonzero(wrong)
        ]
    distances: list[Scores] = []

    def score(films: Film) -> Scores:
        scores = scorer.score(films, on_films)
        distances.append(scores.distances)
        return scores.probabilities

    metrics["corruptions"] = measure_corruptions(score, decoded.pixels, targets, threshold, corruptions)
    metrics["worst_corruptions"] = worst_corruptions(metrics["corruptions"])
    limit = scorer.description.ood.limit
    metrics["ood"] = {
        "limit": limit,
        "flagged": measure_ood(lambda films: scorer.score(films).distances, limit, decoded.pixels, others),
        "corrupted": {name: share_flagged(values, limit) for name, values in zip(corruptions, distances, strict=True)},
    }
    style_scores = None
    style = measure_own_style(decoded.pixels, scored.logits, scored.probabilities, targets, patients, threshold)
    if style:
        metrics["style"], style_scores = style
    positives = np.flatnonzero(targets == 1)
    deletion = delete_evidence(
        decoded.pixels[positives], lambda films: scorer.score(films, on_films).logits, scorer.heatmaps
    )
    metrics["heatmap"] = deletion.figures([patients[row] for row in positives])
    return Evaluation(scorer, decoded, targets, scored, operating_point, metrics, deletion, style_scores)


def _sensitivity_by_kind(films: list[IndexedFilm], predicted: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
    figures = {}
    for kind, name in KINDS.items():
        of_kind = np.array([film.kind == kind for film in films])
        total, found = int(of_kind.sum()), int((of_kind & predicted).sum())
        if total:
            figures[name] = {"films": total, "sensitivity": found / total, "interval": wilson_interval(found, total)}
    return figures


def _measure_band(band: UncertainBand, targets: Scores, probabilities: Scores, threshold: float) -> dict[str, Any]:
    uncertain = band.contains(probabilities)
    certain = ~uncertain
    return {
        "low": band.low,
        "high": band.high,
        "films": int(uncertain.sum()),
        "share": float(uncertain.mean()),
        "called_otherwise": {
            LABELS[0]: float((certain & (probabilities > band.high))[targets == 0].mean()),
            LABELS[1]: float((certain & (probabilities < band.low))[targets == 1].mean()),
        },
        "certain": metrics_at_threshold(targets[certain], probabilities[certain], threshold) if certain.any() else None,
    }
