"""Corruptions change films as described, reproducibly, and keep their shape."""

from __future__ import annotations

import numpy as np
import pytest
from made_films import draw_film

from pneumo_infer.films.preprocess import film_to_pixels
from pneumo_train.evaluation.corruptions import CORRUPTIONS, corrupt, worst_corruptions


@pytest.fixture(scope="module")
def films() -> np.ndarray:
    return np.stack([film_to_pixels(draw_film(seed, pneumonia=seed % 2 == 1)) for seed in range(4)])[..., None]


def test_there_are_many() -> None:
    assert len(CORRUPTIONS) >= 10


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_changes_every_film_reproducibly(films: np.ndarray, name: str) -> None:
    corrupted = corrupt(films, name)
    assert corrupted.shape == films.shape
    assert corrupted.dtype == np.uint8
    assert (np.abs(corrupted.astype(int) - films).mean(axis=(1, 2, 3)) > 0.2).all()
    np.testing.assert_array_equal(corrupted, corrupt(films, name))
    assert corrupted.std() > 10  # not blank


def test_corruptions_do_what_their_names_say(films: np.ndarray) -> None:
    def mean(name: str) -> float:
        return float(corrupt(films, name).mean())

    assert mean("darker, 0.6 of the light") == pytest.approx(0.6 * films.mean(), abs=1)
    assert mean("brighter, 1.4 of the light") > 1.2 * films.mean()
    assert mean("gamma 0.6") > films.mean() > mean("gamma 1.6")
    halved = corrupt(films, "contrast halved").std(axis=(1, 2, 3))
    np.testing.assert_allclose(halved, films.std(axis=(1, 2, 3)) / 2, rtol=0.05)
    noise = corrupt(films, "noise of 10 grey levels").astype(int) - films
    assert noise.std() == pytest.approx(10, rel=0.1)
    framed = corrupt(films, "white border of 10 pixels")
    assert (framed[:, :10] == 255).all()
    np.testing.assert_array_equal(framed[:, 10:-10, 10:-10], films[:, 10:-10, 10:-10])
    small = corrupt(films, "shrunk to 80 % on black")
    assert (small[:, :22] == 0).all()


def test_tone_and_sharpness_corruptions_do_what_their_names_say(films: np.ndarray) -> None:
    def edges(name: str) -> float:
        return float(np.abs(np.diff(corrupt(films, name).astype(int), axis=2)).mean())

    plain = float(np.abs(np.diff(films.astype(int), axis=2)).mean())
    assert edges("blur of 2.5 pixels") < edges("blur of 1.5 pixels") < plain
    assert plain < edges("sharpened mildly") < edges("sharpened strongly")
    assert corrupt(films, "gamma 0.7").mean() > films.mean() > corrupt(films, "gamma 1.4").mean()
    ramp = np.tile(np.arange(224, dtype=np.uint8), (224, 1))[None, ..., None]
    centre = slice(96, 160)
    steepness = {name: int(np.ptp(corrupt(ramp, name)[:, :, centre])) for name in ("S-curve", "inverse S-curve")}
    assert steepness["inverse S-curve"] < np.ptp(ramp[:, :, centre]) < steepness["S-curve"]


def test_equalisation_spreads_the_greys_of_a_dull_film(films: np.ndarray) -> None:
    dull = (films // 4 + 90).astype(np.uint8)
    spread, locally = (corrupt(dull, f"histogram equalised{where}") for where in ("", " locally"))
    assert spread.std() > 2 * dull.std()
    assert locally.std() > 1.2 * dull.std()
    assert not np.array_equal(spread, locally)
    flat = np.full_like(films, 77)
    assert np.ptp(corrupt(flat, "histogram equalised locally")) == 0


def test_the_worst_corruption_of_each_figure() -> None:
    figures = {
        "a": {"auc": 0.9, "sensitivity": 0.7, "specificity": 0.8},
        "b": {"auc": 0.8, "sensitivity": 0.9, "specificity": 0.9},
        "worst": {"auc": 0.8, "sensitivity": 0.7, "specificity": 0.8},
    }
    worst = worst_corruptions(figures)
    assert worst["auc"] == {"corruption": "b", "value": 0.8}
    assert worst["specificity"] == {"corruption": "a", "value": 0.8}
    assert worst_corruptions({}) == {}
