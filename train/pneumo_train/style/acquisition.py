"""Acquisition style: how a film was made, in 14 statistics without anatomy, and how well it predicts the label.

Networks use style as a shortcut (Geirhos et al., "Shortcut learning in deep neural networks", Nature Machine
Intelligence 2, 2020). A film is *atypical* if its style points to the other class. A network that relies on style
misclassifies such films, and in a new hospital all films of one class may be atypical.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import StandardScaler

from pneumo_infer.films.raster import Film
from pneumo_train.data.chunks import in_batches
from pneumo_train.errors import DataError
from pneumo_train.model.calibration import Scores

CENTRE = 144  # pixels, side of the central square
QUANTILES = (5, 25, 50, 75, 95)
BANDS = 6
STATISTICS = (
    *(f"grey quantile {quantile}" for quantile in QUANTILES),
    "standard deviation",
    *(f"log power, band {band}" for band in range(1, BANDS + 1)),
    "mean of left edge",
    "mean of top edge",
)
CLUSTERS = 8
FOLDS = 5
PATIENTS_NEEDED = 25  # per class; with fewer, a tree may not have enough films for two leaves

Statistics = NDArray[np.float64]  # (N, 14)
StyleScores = NDArray[np.float64]  # (N,), probability of PNEUMONIA given style, with balanced classes


@dataclass(frozen=True, slots=True)
class StyleModel:
    """Predicts the label from style.

    Attributes
    ----------
    out_of_fold
        Scores of the films it was fitted on, each from a model that saw no film of the same patient.
    models
        One per fold.
    """

    out_of_fold: StyleScores
    models: tuple[HistGradientBoostingClassifier, ...]

    def score(self, statistics: Statistics) -> StyleScores:
        """Score films of other patients, (N, 14) to (N,), with the mean of all models."""
        return np.asarray(np.mean([model.predict_proba(statistics)[:, 1] for model in self.models], axis=0))


def style_statistics(films: Film) -> Statistics:
    """Compute statistics of how films were made.

    They are grey quantiles, the standard deviation and, after a Hann window, the mean log power in six rings of equal
    width up to the Nyquist frequency, all of the central 144 x 144 pixels; and the mean grey of the left column and the
    top row.

    Parameters
    ----------
    films
        uint8 (N, 224, 224) or (N, 224, 224, 1).

    Returns
    -------
    ndarray
        float64 (N, 14), in the order of `STATISTICS`.

    Raises
    ------
    DataError
        The array has another shape or type.
    """
    if films.dtype != np.uint8 or films.shape[1:] not in ((224, 224), (224, 224, 1)):
        raise DataError(f"{films.dtype} {films.shape}", "not an array of films", "give uint8 (N, 224, 224)")
    parts = [_statistics(batch) for batch in in_batches(films)]
    return np.concatenate(parts) if parts else np.empty((0, len(STATISTICS)))


def _statistics(films: Film) -> Statistics:
    grey = films.reshape(len(films), 224, 224).astype(np.float64)
    margin = (224 - CENTRE) // 2
    centre = grey[:, margin:-margin, margin:-margin]
    window = np.outer(np.hanning(CENTRE), np.hanning(CENTRE))
    log_power = np.log1p(np.abs(np.fft.fft2(centre * window)) ** 2)
    rings = _rings()
    return np.column_stack(
        [
            np.percentile(centre, QUANTILES, axis=(1, 2)).T,
            centre.std(axis=(1, 2)),
            *(log_power[:, rings == ring].mean(axis=1) for ring in range(BANDS)),
            grey[:, :, 0].mean(axis=1),
            grey[:, 0].mean(axis=1),
        ]
    )


def _rings() -> NDArray[np.int_]:
    """Number the band of each frequency; the corners beyond the Nyquist frequency get numbers from `BANDS` on."""
    cycles = np.fft.fftfreq(CENTRE, 1 / CENTRE)
    radius = np.round(np.hypot(cycles[:, None], cycles))
    return np.asarray(radius * BANDS // (CENTRE // 2 + 1), dtype=np.int_)


def fit_style(statistics: Statistics, targets: Scores, patients: Sequence[str], seed: int = 0) -> StyleModel:
    """Fit gradient boosting on style, in five folds that share no patient.

    Both classes have equal weight, so a score of 0.5 means that style carries no information about the label.

    Parameters
    ----------
    statistics
        float64 (N, 14), as returned by `style_statistics`.
    targets
        (N,), 1 for PNEUMONIA.
    patients
        (N,), the patient of each film.

    Raises
    ------
    DataError
        A class has too few patients.
    """
    groups, is_pneumonia = np.asarray(patients), targets == 1
    fewest = min(len(np.unique(groups[is_pneumonia])), len(np.unique(groups[~is_pneumonia])))
    if fewest < PATIENTS_NEEDED:
        problem = f"needs at least {PATIENTS_NEEDED} patients of each class (found {fewest})"
        raise DataError("acquisition style", problem, "add films of more patients")
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    out_of_fold, models = np.empty(len(targets)), []
    for fitted, left_out in folds.split(statistics, is_pneumonia, groups):
        model = HistGradientBoostingClassifier(class_weight="balanced", random_state=seed)
        models.append(model.fit(statistics[fitted], is_pneumonia[fitted]))
        out_of_fold[left_out] = model.predict_proba(statistics[left_out])[:, 1]
    return StyleModel(out_of_fold, tuple(models))


def is_atypical(scores: StyleScores, targets: Scores) -> NDArray[np.bool_]:
    """Find films whose style points to the other class: NORMAL with a score of 0.5 or more, PNEUMONIA with less."""
    return np.asarray((scores >= 0.5) != (targets == 1))


def style_clusters(statistics: Statistics, count: int = CLUSTERS, seed: int = 0) -> NDArray[np.int_]:
    """Group films by style, with k-means of the standardised statistics.

    The same films and seed give the same groups.

    Returns
    -------
    ndarray
        Cluster of each film, (N,), numbered from 0 by decreasing size.

    Raises
    ------
    DataError
        There are fewer films than clusters.
    """
    if len(statistics) < count:
        raise DataError(f"{len(statistics)} films", f"cannot be grouped into {count} styles", "add more films")
    found = KMeans(count, n_init=10, random_state=seed).fit_predict(StandardScaler().fit_transform(statistics))
    by_size = np.argsort(-np.bincount(found, minlength=count), kind="stable")
    return np.asarray(np.argsort(by_size)[found])


def nearest_clusters(statistics: Statistics, clusters: NDArray[np.int_], others: Statistics) -> NDArray[np.int_]:
    """Assign other films to the nearest of the clusters that `style_clusters` found in `statistics`."""
    scaler = StandardScaler().fit(statistics)
    centres = NearestCentroid().fit(scaler.transform(statistics), clusters)
    return np.asarray(centres.predict(scaler.transform(others)))
