"""Without a style, training has none of its NORMAL films and their patients, and validation has none of its films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from styled_data import write_styled_films

from pneumo_train.data.batches import TrainingFilms
from pneumo_train.data.decode import decode_films
from pneumo_train.data.index import index_films
from pneumo_train.data.split import split_by_patient
from pneumo_train.errors import DataError
from pneumo_train.style.acquisition import STATISTICS, nearest_clusters, style_clusters
from pneumo_train.style.films import StyledFilms, find_styles


def styled() -> StyledFilms:
    """Eight training films and four validation films; patient b has films of two styles."""
    targets = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1], np.float32)
    clusters = np.array([0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 0, 1])
    patients = np.array(list("abbcdefghijk"))
    rows = {"train": np.arange(8), "validation": np.arange(8, 12)}
    films = TrainingFilms(np.zeros((12, 224, 224, 1), np.uint8), targets, rows)
    return StyledFilms(films, patients, clusters, np.zeros(12, bool))


def test_a_style_keeps_its_pneumonia_and_loses_its_normal_films() -> None:
    left = styled().without(0)
    assert styled().training(0, 0).tolist() == [0, 1]
    assert left.rows["train"].tolist() == [3, 4, 5, 6, 7]  # 2 is another film of patient b
    assert left.rows["validation"].tolist() == [9, 11]
    assert left.rows.keys() == {"train", "validation"}


def test_a_style_without_which_a_class_is_missing_is_refused() -> None:
    films = styled()
    films.clusters[:5] = 0
    with pytest.raises(DataError, match="cluster 0: without it, no NORMAL films remain in train"):
        films.without(0)
    films = styled()
    films.clusters[11] = 0
    with pytest.raises(DataError, match="cluster 0: without it, no PNEUMONIA films remain in validation"):
        films.without(0)


def test_new_films_are_of_the_style_they_are_nearest_to() -> None:
    rng = np.random.default_rng(0)
    scales = 10.0 ** np.arange(len(STATISTICS))  # without standardising, the last statistic would decide alone
    found = np.repeat(np.arange(3), 40)
    moved = np.zeros((3, len(STATISTICS)))
    moved[1, :7], moved[2, :3] = 10, -10
    statistics = (rng.normal(size=(120, len(STATISTICS))) + moved[found]) * scales
    others = (rng.normal(size=(3, len(STATISTICS))) + moved) * scales
    assert nearest_clusters(statistics, found, others).tolist() == [0, 1, 2]
    clusters = style_clusters(statistics, 3)
    assert nearest_clusters(statistics, clusters, statistics).tolist() == clusters.tolist()


def test_styles_of_films_are_found_in_training_films(tmp_path: Path) -> None:
    root = write_styled_films(tmp_path / "films")
    split = split_by_patient(index_films(root), seed=7, validation_share=0.2, test_share=0.2)
    decoded = decode_films(root, sorted(split, key=lambda film: film.path), tmp_path / "cache")
    found = find_styles(decoded)
    common = np.array([film.label == "NORMAL" and int(film.patient[3:7]) < 100 for film in decoded.films])
    assert (found.clusters[common] == 0).all()
    assert (found.clusters[~common] != 0).all()
    assert not found.atypical[found.films.rows["train"]].any()
    assert found.measured_on == "test"
