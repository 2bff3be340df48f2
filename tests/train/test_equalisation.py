"""Equalised films contain ranks of grey levels, independent of the tone curve."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from pneumo_train.model.equalisation import STRIDE, UNIFORM_DEVIATION, equalised, histograms


@pytest.fixture(scope="module")
def equalise() -> keras.Model:
    films = keras.Input((30, 48, 1))
    return keras.Model(films, equalised(films))


def film(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 236, (3, 30, 48, 1)).astype(np.float32)


def test_histograms_count_each_grey() -> None:
    greys = np.random.default_rng(1).integers(0, 256, (3, 20, 30, 1)).astype(np.int32)
    expected = [np.bincount(plane.ravel(), minlength=256) for plane in greys]
    np.testing.assert_array_equal(histograms(greys), expected)


def test_greys_become_ranks(equalise: keras.Model) -> None:
    films = np.repeat(
        np.repeat(film()[:, ::STRIDE, ::STRIDE], STRIDE, axis=1), STRIDE, axis=2
    )  # so that every pixel is counted
    ranks = [[(plane < grey).mean() + (plane == grey).mean() / 2 for grey in plane.ravel()] for plane in films]
    expected = (np.reshape(ranks, films.shape) - 0.5) / UNIFORM_DEVIATION
    np.testing.assert_allclose(equalise(films), expected, atol=1e-4)


def test_a_tone_curve_changes_nothing(equalise: keras.Model) -> None:
    curve = np.sort(np.random.default_rng(2).choice(np.arange(1, 256), 216, replace=False)).astype(np.float32)
    toned = curve[film().astype(int) - 20]
    np.testing.assert_allclose(equalise(toned), equalise(film()), atol=1e-5)


def test_a_black_border_does_not_shift_the_rest(equalise: keras.Model) -> None:
    bordered = film()
    bordered[:, :, :8] = 0
    inside = np.asarray(equalise(bordered))[:, :, 8:]
    assert abs(inside.mean()) < 0.1
    assert inside.std() == pytest.approx(1, abs=0.1)


def test_a_blank_film_is_finite(equalise: keras.Model) -> None:
    for grey in (0, 128, 255):
        assert np.isfinite(np.asarray(equalise(np.full((1, 30, 48, 1), grey, np.float32)))).all()


def test_it_is_saved_without_our_code(equalise: keras.Model, tmp_path: Path) -> None:
    equalise.save(tmp_path / "equalise.keras")
    loaded = keras.models.load_model(tmp_path / "equalise.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(film()), equalise(film()))
