"""Degraded copies resemble the film, outliers do not, and both are reproducible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_films import draw_film
from numpy.typing import NDArray
from PIL import Image

from pneumo_infer.films.preprocess import film_to_pixels
from pneumo_train.augmentation.degrade import degrade, with_degraded_copies
from pneumo_train.errors import DataError
from pneumo_train.ood.extra_films import read_kinds, read_other_films
from pneumo_train.ood.metrics import AS_THEY_ARE, DRAWN, measure_ood, share_flagged
from pneumo_train.ood.outliers import KINDS, make_outlier
from pneumo_train.ood.probes import draw_ood_probes

Films = NDArray[np.uint8]


@pytest.fixture(scope="module")
def films() -> Films:
    return np.stack([film_to_pixels(draw_film(seed)) for seed in range(8)])[..., None]


def likeness(one: Films, other: Films) -> float:
    """Correlation of two films' pixels."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_degraded_copies_differ_and_show_the_same(films: Films) -> None:
    copies = degrade(films, seed=1)
    assert (copies.shape, copies.dtype) == (films.shape, np.uint8)
    for film, copy in zip(films, copies, strict=True):
        assert 0.9 < likeness(film, copy) < 1
    np.testing.assert_array_equal(degrade(films, seed=1), copies)
    assert (degrade(films, seed=2) != copies).any()
    np.testing.assert_array_equal(with_degraded_copies(films)[: len(films)], films)


@pytest.mark.parametrize("kind", KINDS)
def test_outliers_show_something_else(kind: str, films: Films) -> None:
    made = make_outlier(kind, films, seed=1)
    assert (made.shape, made.dtype) == (films.shape, np.uint8)
    for film, outlier in zip(films, made, strict=True):
        assert likeness(film, outlier) < 0.99
        assert outlier.std() > 5
    np.testing.assert_array_equal(make_outlier(kind, films, seed=1), made)


def test_films_are_hung_wrongly(films: Films) -> None:
    film = np.zeros((1, 224, 224, 1), np.uint8)
    film[:, :50] = 255
    assert make_outlier("inverted", film, 0)[0, 100, 100, 0] == 255
    assert make_outlier("upside down", film, 0)[0, 200, 100, 0] == 255
    turned = make_outlier("turned by 90 degrees", film, 0)[0, 100, :, 0]
    assert {int(turned[10]), int(turned[214])} == {0, 255}


def test_probes_are_drawn_the_same_each_time_and_differ() -> None:
    probes = draw_ood_probes()
    assert (probes.shape[1:], probes.dtype) == ((224, 224, 1), np.uint8)
    np.testing.assert_array_equal(probes, draw_ood_probes())
    assert len(np.unique(probes.reshape(len(probes), -1), axis=0)) > 0.8 * len(probes)


def test_each_kind_is_measured_with_an_interval(films: Films) -> None:
    others = {"blank": np.zeros((3, 224, 224, 1), np.uint8)}
    grey = float(films.mean())
    rows = measure_ood(lambda shown: np.abs(shown.mean(axis=(1, 2, 3)) - grey), 10.0, films, others)
    assert {f"films {kind}" for kind in KINDS} < set(rows)
    assert (rows[AS_THEY_ARE]["films"], rows[AS_THEY_ARE]["share"]) == (8, 0)
    assert (rows["blank"]["films"], rows["blank"]["share"]) == (3, 1)
    assert rows["films turned by 90 degrees"]["share"] == 0
    assert 0 < rows[DRAWN]["share"] <= 1


def test_the_interval_is_wilsons() -> None:
    row = share_flagged(np.array([1, 2, 3, 4], np.float32), limit=3.0)
    assert row["share"] == 0.25
    assert row["interval"] == pytest.approx((0.0456, 0.6994), abs=1e-3)


def test_every_second_film_of_a_kind_is_fitted(tmp_path: Path, films: Films) -> None:
    for number, film in enumerate(films):
        path = tmp_path / "adults" / "deeper" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(film[:, :, 0]).save(path)
    (tmp_path / "adults" / "notes.png").write_text("no picture")
    others = read_other_films(tmp_path)
    np.testing.assert_array_equal(others.fitted["adults"], films[::2])
    np.testing.assert_array_equal(others.measured["adults"], films[1::2])
    assert read_other_films(None).fitted == {}


def test_a_folder_without_films_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contains no readable films"):
        read_kinds(tmp_path)
    with pytest.raises(DataError, match="not a folder"):
        read_kinds(tmp_path / "gone")
