"""The films of a run with their acquisition styles, and training splits without the NORMAL films of one style."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumo_infer.model.info import LABELS
from pneumo_train.data.batches import TrainingFilms, training_films
from pneumo_train.data.decode import DecodedFilms
from pneumo_train.errors import DataError
from pneumo_train.style.acquisition import fit_style, is_atypical, nearest_clusters, style_clusters, style_statistics

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class StyledFilms:
    """The films of a run with their styles.

    Attributes
    ----------
    patients
        (N,), the patient of each film.
    clusters
        (N,), the style cluster of each film; clusters are fitted on the training films.
    atypical
        bool (N,), whether the style of a held-out film points to the other class; False for training films.
    """

    films: TrainingFilms
    patients: NDArray[np.str_]
    clusters: NDArray[np.int_]
    atypical: NDArray[np.bool_]

    @property
    def measured_on(self) -> str:
        """The held-out split to measure on."""
        return "test" if "test" in self.films.rows else "validation"

    def training(self, cluster: int, label: int) -> Rows:
        """Return the indices of the training films of a cluster and a class."""
        rows = self.films.rows["train"]
        return np.asarray(rows[(self.clusters[rows] == cluster) & (self.films.targets[rows] == label)])

    def without(self, cluster: int) -> TrainingFilms:
        """Remove a cluster's NORMAL films from training, and all of its films from validation.

        Other NORMAL training films of the same patients are removed too, so that the network is measured on patients
        that it has not seen as NORMAL.

        Raises
        ------
        DataError
            No films of a class would remain in training or validation.
        """
        films = self.films
        removed = (films.targets == 0) & np.isin(self.patients, self.patients[self.training(cluster, 0)])
        rows = {
            "train": films.rows["train"][~removed[films.rows["train"]]],
            "validation": films.rows["validation"][self.clusters[films.rows["validation"]] != cluster],
        }
        for split, remaining in rows.items():
            for number, label in enumerate(LABELS):
                if not (films.targets[remaining] == number).any():
                    problem = f"without it, no {label} films remain in {split}"
                    raise DataError(f"cluster {cluster}", problem, "choose other clusters with --clusters")
        return TrainingFilms(films.pixels, films.targets, rows)


def find_styles(decoded: DecodedFilms) -> StyledFilms:
    """Cluster films by style, and find held-out films with an atypical style; both are fitted on training films.

    Raises
    ------
    DataError
        There are not enough training films.
    """
    films, statistics = training_films(decoded), style_statistics(decoded.pixels)
    patients = np.array([film.patient for film in decoded.films])
    rows = films.rows["train"]
    clusters = style_clusters(statistics[rows])
    model = fit_style(statistics[rows], films.targets[rows], patients[rows].tolist())
    atypical = is_atypical(model.score(statistics), films.targets)
    atypical[rows] = False
    return StyledFilms(films, patients, nearest_clusters(statistics[rows], clusters, statistics), atypical)
