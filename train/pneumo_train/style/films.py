"""The films of a run with their acquisition styles, and what is left of them without the NORMAL films of one style."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumo_infer.model.info import LABELS
from pneumo_train.data.batches import TrainingFilms
from pneumo_train.data.decode import DecodedFilms
from pneumo_train.errors import DataError
from pneumo_train.style.acquisition import fit_style, is_atypical, nearest_clusters, style_clusters, style_statistics
from pneumo_train.training.run import training_films

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class StyledFilms:
    """The films of a run, and of which style they are.

    Attributes
    ----------
    patients
        (N,), whose each film is.
    clusters
        (N,), style cluster of each film, found in the training films.
    atypical
        bool (N,), whether the style of a held-out film points to the other class; false for training films.
    """

    films: TrainingFilms
    patients: NDArray[np.str_]
    clusters: NDArray[np.int_]
    atypical: NDArray[np.bool_]

    @property
    def measured_on(self) -> str:
        """The held-out split that is measured."""
        return "test" if "test" in self.films.rows else "validation"

    def training(self, cluster: int, label: int) -> Rows:
        """Training films of a cluster and a class."""
        rows = self.films.rows["train"]
        return np.asarray(rows[(self.clusters[rows] == cluster) & (self.films.targets[rows] == label)])

    def without(self, cluster: int) -> TrainingFilms:
        """Leave the cluster's NORMAL films out of training, and all of its films out of validation.

        Other NORMAL training films of the same patients go too: what is measured on the cluster's would else be
        measured on patients that the network knows.

        Raises
        ------
        DataError
            Training or validation is left without a film of a class.
        """
        films = self.films
        out = (films.targets == 0) & np.isin(self.patients, self.patients[self.training(cluster, 0)])
        rows = {
            "train": films.rows["train"][~out[films.rows["train"]]],
            "validation": films.rows["validation"][self.clusters[films.rows["validation"]] != cluster],
        }
        for split, left in rows.items():
            for number, label in enumerate(LABELS):
                if not (films.targets[left] == number).any():
                    raise DataError(
                        f"cluster {cluster}", f"leaves no {label} film for {split}", "choose others with --clusters"
                    )
        return TrainingFilms(films.pixels, films.targets, rows)


def find_styles(decoded: DecodedFilms) -> StyledFilms:
    """Cluster training films by style, and learn from them what style tells of the label of the others.

    Raises
    ------
    DataError
        The training films are too few.
    """
    films, statistics = training_films(decoded), style_statistics(decoded.pixels)
    patients = np.array([film.patient for film in decoded.films])
    rows = films.rows["train"]
    clusters = style_clusters(statistics[rows])
    model = fit_style(statistics[rows], films.targets[rows], patients[rows].tolist())
    atypical = is_atypical(model.score(statistics), films.targets)
    atypical[rows] = False
    return StyledFilms(films, patients, nearest_clusters(statistics[rows], clusters, statistics), atypical)
