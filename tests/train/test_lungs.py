"""The lung field covers the lungs, including a white one, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from made_films import SHARED_FILMS, draw_film
from numpy.typing import NDArray

from pneumo_infer.films.preprocess import film_to_pixels, read_pixels
from pneumo_train.data.lung_fields import lung_fields

LEFT, RIGHT, HEIGHT = 65, 159, 112  # where draw_film puts the middle of each lung, on a film of 224 pixels
TRAINING_FILMS = SHARED_FILMS / "chest_xray" / "train"


def draw_films(count: int, *, pneumonia: bool) -> NDArray[np.uint8]:
    return np.stack([film_to_pixels(draw_film(seed, pneumonia=pneumonia)) for seed in range(count)])


@pytest.mark.parametrize("pneumonia", [False, True])
def test_the_field_is_the_lungs_and_not_what_lies_between_and_around(pneumonia: bool) -> None:
    fields = lung_fields(draw_films(8, pneumonia=pneumonia))
    assert fields.shape == (8, 224, 224)
    assert fields.dtype == bool
    assert fields[:, HEIGHT, [LEFT, RIGHT]].all()
    assert not fields[:, :, 110:114].any()
    assert not fields[:, [2, 2, -3, -3], [2, -3, 2, -3]].any()


def test_the_field_follows_the_lungs() -> None:
    film = draw_films(1, pneumonia=False)
    lower = np.roll(film, 24, axis=1)
    lower[:, :24] = film[:, :1]
    rows = [np.flatnonzero(lung_fields(shown)[0].any(axis=1)).mean() for shown in (film, lower)]
    assert 12 <= rows[1] - rows[0] <= 36


def test_most_of_a_white_lung_is_still_in_the_field() -> None:
    films = draw_films(8, pneumonia=False)
    white = films.copy()
    white[:, 100:, 112:] = np.maximum(white[:, 100:, 112:], 185)
    expected, found = (lung_fields(shown)[:, 100:, 112:] for shown in (films, white))
    kept = (expected & found).sum((1, 2)) / expected.sum((1, 2))
    assert np.median(kept) > 0.6
    assert kept.min() > 0.4


def test_a_blank_film_has_the_most_likely_field() -> None:
    black, white = (np.full((1, 224, 224, 1), grey, dtype=np.uint8) for grey in (0, 255))
    field = lung_fields(black)[0]
    np.testing.assert_array_equal(field, lung_fields(white)[0])
    assert (field != field[:, ::-1]).mean() < 0.1  # symmetric but for the spacing of the outlines tried
    assert 0.2 < field.mean() < 0.35


def test_a_film_has_the_same_field_alone_and_among_others() -> None:
    films = draw_films(70, pneumonia=False)
    np.testing.assert_array_equal(lung_fields(films)[69], lung_fields(films[69:, :, :, None])[0])


@pytest.mark.parametrize(
    "films", [np.zeros((1, 224, 224)), np.zeros((224, 224), np.uint8), np.zeros((1, 96, 96), np.uint8)]
)
def test_other_arrays_are_refused(films: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="read_pixels"):
        lung_fields(films)


@pytest.mark.skipif(not TRAINING_FILMS.is_dir(), reason="needs the films of ../shared")
@pytest.mark.parametrize("label", ["NORMAL", "PNEUMONIA"])
def test_lungs_of_real_films_are_darker_than_what_lies_between(label: str) -> None:
    paths = sorted((TRAINING_FILMS / label).iterdir())[::50][:25]
    films = np.stack([read_pixels(path) for path in paths])
    fields = lung_fields(films)
    darker = 0
    for film, field in zip(films, fields, strict=True):
        rows = field.any(axis=1)
        middle = film[rows, 104:120]
        darker += film[field].mean() < middle[~field[rows, 104:120]].mean()
    assert darker >= 23
    assert ((fields.mean((1, 2)) > 0.15) & (fields.mean((1, 2)) < 0.5)).all()
