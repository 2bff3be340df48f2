"""Shifts change films as they say, alike each time, and leave their shape alone."""

from __future__ import annotations

import numpy as np
import pytest
from made_films import draw_film

from pneumo_infer.preprocess import film_to_pixels
from pneumo_train.stress import SHIFTS, shift_films


@pytest.fixture(scope="module")
def films() -> np.ndarray:
    return np.stack([film_to_pixels(draw_film(seed, pneumonia=seed % 2 == 1)) for seed in range(4)])[..., None]


def test_there_are_many() -> None:
    assert len(SHIFTS) >= 10


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shift_changes_every_film_alike_each_time(films: np.ndarray, name: str) -> None:
    shifted = shift_films(films, name)
    assert shifted.shape == films.shape
    assert shifted.dtype == np.uint8
    assert (np.abs(shifted.astype(int) - films).mean(axis=(1, 2, 3)) > 0.2).all()
    np.testing.assert_array_equal(shifted, shift_films(films, name))
    assert shifted.std() > 10  # still pictures


def test_shifts_do_what_they_are_named_for(films: np.ndarray) -> None:
    def mean(name: str) -> float:
        return float(shift_films(films, name).mean())

    assert mean("darker, 0.6 of the light") == pytest.approx(0.6 * films.mean(), abs=1)
    assert mean("brighter, 1.4 of the light") > 1.2 * films.mean()
    assert mean("gamma 0.6") > films.mean() > mean("gamma 1.6")
    halved = shift_films(films, "contrast halved").std(axis=(1, 2, 3))
    np.testing.assert_allclose(halved, films.std(axis=(1, 2, 3)) / 2, rtol=0.05)
    noise = shift_films(films, "noise of 10 grey levels").astype(int) - films
    assert noise.std() == pytest.approx(10, rel=0.1)
    framed = shift_films(films, "white border of 10 pixels")
    assert (framed[:, :10] == 255).all()
    np.testing.assert_array_equal(framed[:, 10:-10, 10:-10], films[:, 10:-10, 10:-10])
    small = shift_films(films, "shrunk to 80 % on black")
    assert (small[:, :22] == 0).all()
