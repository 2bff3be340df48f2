"""The domain of a model that is released: fitted on its training films, limited on validation films, measured."""

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
MADE_OF = 300  # training films that outliers of each kind are made of
COPIES = 4  # degraded copies of each known film that is given beside the training films

See = Callable[[Film], Features]


def fit_ood_detector(see: See, films: TrainingFilms, known: OtherFilms, outliers: OtherFilms) -> OodDetector:
    """Fit the domain on training films, degraded copies of them and outliers made of them, and on given films.

    Parameters
    ----------
    see
        uint8 (N, 224, 224, 1) to `ood_features`, float32 (N, C).
    known, outliers
        Given films of the known kind, and of others.
    """
    training = films.pixels[films.rows["train"]]
    given = [copies for shown in known.fitted.values() for copies in _copies(shown)]
    inside = [see(shown) for shown in (training, degrade(training, SEED), *given)]
    chosen = np.random.default_rng(SEED).permutation(len(training))[:MADE_OF]
    outside = [see(_half_degraded(make_outlier(kind, training[np.sort(chosen)], SEED))) for kind in KINDS]
    outside += [see(copies) for shown in outliers.fitted.values() for copies in _copies(shown)]
    validation = see(with_degraded_copies(films.pixels[films.rows["validation"]]))
    return fit_detector(np.concatenate(inside), np.concatenate(outside), validation)


def describe_ood(
    distance: Callable[[Film], Scores],
    films: TrainingFilms,
    measured_on: str,
    known: OtherFilms,
    outliers: OtherFilms,
) -> dict[str, Any]:
    """Choose the limit on validation films and their degraded copies, and measure on films that nothing was fitted on.

    Parameters
    ----------
    distance
        uint8 (N, 224, 224, 1) to `domain_distance`, float32 (N,).
    measured_on
        The split that is measured.
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
    """Degrade every second film, so that what a film has gone through does not tell outliers."""
    degraded = films.copy()
    degraded[::2] = degrade(films[::2], SEED)
    return degraded


def _named(role: str, films: Mapping[str, Film]) -> dict[str, Film]:
    return {f"{role} films in {name}": shown for name, shown in films.items()}
