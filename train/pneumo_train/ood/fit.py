"""Fit the OOD detector of a model to be released, choose its limit and measure it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pneumo_infer.films.raster import Film
from pneumo_train.augmentation.degrade import degrade, with_degraded_copies
from pneumo_train.data.batches import TrainingFilms
from pneumo_train.model.calibration import Scores
from pneumo_train.ood.detector import ACCEPTED, METHOD, Features, OodDetector, choose_limit, fit_detector
from pneumo_train.ood.extra_films import OtherFilms
from pneumo_train.ood.metrics import measure_ood
from pneumo_train.ood.outliers import KINDS, make_outlier

SEED = 34
SOURCE_FILMS = 300  # training films that outliers of each kind are made from
COPIES = 4  # degraded copies of each extra film

FeatureExtractor = Callable[[Film], Features]


def fit_ood_detector(
    extract: FeatureExtractor, films: TrainingFilms, known: OtherFilms, outliers: OtherFilms
) -> OodDetector:
    """Fit the detector on training films, their degraded copies, outliers made from them, and extra films.

    Parameters
    ----------
    extract
        uint8 (N, 224, 224, 1) to `ood_features`, float32 (N, C).
    known, outliers
        Extra films of the known kind, and of other kinds.
    """
    training = films.pixels[films.rows["train"]]
    extra = [copies for kind_films in known.fitted.values() for copies in _copies(kind_films)]
    inside = [extract(known_films) for known_films in (training, degrade(training, SEED), *extra)]
    chosen = np.random.default_rng(SEED).permutation(len(training))[:SOURCE_FILMS]
    outside = [extract(_half_degraded(make_outlier(kind, training[np.sort(chosen)], SEED))) for kind in KINDS]
    outside += [extract(copies) for kind_films in outliers.fitted.values() for copies in _copies(kind_films)]
    validation = extract(with_degraded_copies(films.pixels[films.rows["validation"]]))
    return fit_detector(np.concatenate(inside), np.concatenate(outside), validation)


def describe_ood(
    distance: Callable[[Film], Scores],
    films: TrainingFilms,
    measured_on: str,
    known: OtherFilms,
    outliers: OtherFilms,
) -> dict[str, Any]:
    """Choose the limit on validation films and their degraded copies, and measure on films that were not used to fit.

    Parameters
    ----------
    distance
        uint8 (N, 224, 224, 1) to `domain_distance`, float32 (N,).
    measured_on
        The split to measure on.
    known, outliers
        Extra films of the known kind, and of other kinds.

    Returns
    -------
    dict
        JSON-ready: method, films, limit, and `flagged`, the result of `measure_ood`.
    """
    limit = choose_limit(distance(with_degraded_copies(films.pixels[films.rows["validation"]])))
    others = _named("known", known.measured) | _named("other", outliers.measured)
    return {
        "method": METHOD,
        "fitted_on": "train",
        "also_fitted_on": sorted(_named("known", known.fitted) | _named("other", outliers.fitted)),
        "limit": limit,
        "limit_fitted_on": "validation",
        "accepted": ACCEPTED,
        "measured_on": measured_on,
        "flagged": measure_ood(distance, limit, films.pixels[films.rows[measured_on]], others),
    }


def _copies(films: Film) -> list[Film]:
    return [films, *(degrade(films, SEED + copy) for copy in range(COPIES))]


def _half_degraded(films: Film) -> Film:
    """Degrade every second film, so that outliers cannot be recognised by their processing."""
    degraded = films.copy()
    degraded[::2] = degrade(films[::2], SEED)
    return degraded


def _named(role: str, films: Mapping[str, Film]) -> dict[str, Film]:
    return {f"{role} films in {name}": kind_films for name, kind_films in films.items()}
