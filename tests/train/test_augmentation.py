"""Augmentation is active only in training, moves lung fields with films, and stays in range."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from pneumo_train.augmentation.layers import augmented
from pneumo_train.augmentation.noise import RandomNoise
from pneumo_train.augmentation.shading import RandomShading
from pneumo_train.augmentation.spectra import RandomSpectrum
from pneumo_train.recipe import Augment

EVERYTHING = Augment(
    flip=True,
    rotation_degrees=10,
    shear=0.1,
    shift=0.1,
    zoom_in=0.2,
    frame=0.2,
    brightness=0.2,
    contrast=0.3,
    noise=0.05,
    spectrum=0.8,
    blur=3.0,
    sharpen=1.0,
    shading=0.1,
)


def changed(augment: Augment, films: np.ndarray, min_crop_area: float = 1.0, training: bool = True) -> np.ndarray:
    image = keras.Input(films.shape[1:], dtype="uint8")
    return np.asarray(keras.Model(image, augmented(image, augment, min_crop_area, seed=0))(films, training=training))


def noise(count: int = 4, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, 224, 224, channels), dtype=np.uint8)


def smooth(count: int, deviation: float) -> np.ndarray:
    """Films of noise without frequencies above a Gaussian's, float32 (N, 64, 64, 1) in 0..1."""
    frequencies = np.fft.fftfreq(64)[:, None] ** 2 + np.fft.fftfreq(64) ** 2
    spectrum = np.fft.fft2(np.random.default_rng(3).normal(size=(count, 64, 64)))
    films = np.fft.ifft2(spectrum * np.exp(-2 * np.pi**2 * deviation**2 * frequencies)).real
    scaled = 0.5 + 0.1 * films / films.std(axis=(1, 2), keepdims=True)
    return scaled[..., None].astype(np.float32)


def sharpness(films: np.ndarray) -> np.ndarray:
    """Mean step from pixel to pixel, in standard deviations of the film."""
    return np.abs(np.diff(films, axis=1)).mean(axis=(1, 2, 3)) / films.std(axis=(1, 2, 3))


def test_it_is_active_only_in_training_and_stays_in_range() -> None:
    films = noise()
    np.testing.assert_allclose(changed(EVERYTHING, films, 0.3, training=False), films, atol=1e-3)
    seen = changed(EVERYTHING, films, 0.3)
    assert seen.min() >= 0
    assert seen.max() <= 255
    assert np.abs(seen - films).mean() > 5


def test_lung_fields_move_with_the_film_and_keep_their_tones() -> None:
    films = np.zeros((8, 224, 224, 2), np.uint8)
    films[:, 80:140, 30:90] = 255
    seen = changed(Augment(flip=True, rotation_degrees=10, zoom_in=0.2), films, 0.5)
    np.testing.assert_allclose(seen[..., 0], seen[..., 1], atol=1e-3)
    toned = changed(Augment(brightness=0.3, noise=0.1, spectrum=1.0, shading=0.2), films)
    np.testing.assert_allclose(toned[..., 1], films[..., 1], atol=1e-3)
    assert np.abs(toned[..., 0] - films[..., 0]).mean() > 3


def test_what_a_turn_leaves_empty() -> None:
    films = np.full((8, 224, 224, 1), 200, np.uint8)
    turned = {fill: changed(Augment(rotation_degrees=10, fill=fill), films) for fill in ("black", "edge")}
    assert turned["black"].min() == 0
    assert turned["edge"].min() == pytest.approx(200, abs=0.1)


def test_a_frame_leaves_black_around_the_film_or_stretches_it() -> None:
    films = np.full((32, 224, 224, 1), 200, np.uint8)
    black = (changed(Augment(frame=0.2), films) < 1).mean(axis=(1, 2, 3))
    assert (black == 0).any()
    assert 0.1 < black.max() < 1 - 1 / 1.2**2 + 0.01


def test_films_take_over_the_sharpness_of_their_neighbours() -> None:
    films = np.concatenate([smooth(1, 0.0), smooth(1, 2.0)])
    before = sharpness(films)
    layer = RandomSpectrum(1.0, blur=0.0, sharpen=0.0, seed=0)
    after = np.mean([sharpness(np.asarray(layer(films, training=True))) for _ in range(20)], axis=0)
    assert after[0] < 0.9 * before[0]
    assert after[1] > 1.2 * before[1]
    np.testing.assert_allclose(layer(films, training=True).numpy().mean(axis=(1, 2)), 0.5, atol=0.05)


@pytest.mark.parametrize(("settings", "lowest", "highest"), [((4.0, 0.0), 0.2, 1.3), ((0.0, 3.0), 0.8, 1.5)])
def test_films_are_blurred_or_sharpened(settings: tuple[float, float], lowest: float, highest: float) -> None:
    films = np.repeat(smooth(1, 1.0), 64, axis=0)  # neighbours alike, so that nothing else changes sharpness
    ratio = sharpness(np.asarray(RandomSpectrum(1.0, *settings, seed=0)(films, training=True))) / sharpness(films)
    assert lowest < ratio.min()
    assert ratio.max() < highest
    assert ratio.min() < 0.6 if settings[0] else ratio.max() > 1.15


def test_a_share_of_the_films_keeps_its_spectrum() -> None:
    films = smooth(64, 1.0)
    seen = np.asarray(RandomSpectrum(0.5, blur=2.0, sharpen=0.0, seed=0)(films, training=True))
    kept = np.abs(seen - films).max(axis=(1, 2, 3)) < 1e-6
    assert 0.3 < kept.mean() < 0.7


def test_shading_is_smooth_and_leaves_black_alone() -> None:
    films = np.full((16, 64, 64, 1), 0.5, np.float32)
    films[:, :8] = 0
    shade = np.asarray(RandomShading(0.1, seed=0)(films, training=True)) - films
    assert not shade[:, :8].any()
    assert shade[:, 8:].std() == pytest.approx(0.06, abs=0.03)
    assert np.abs(np.diff(shade[:, 8:], axis=1)).max() < 0.05


def test_noise_has_another_strength_in_each_film() -> None:
    grey = np.full((400, 32, 32, 1), 0.5, np.float32)
    layer = RandomNoise(0.1, seed=0)
    np.testing.assert_array_equal(layer(grey, training=False), grey)
    added = np.asarray(layer(grey, training=True)) - grey
    strengths = np.sort(added.std(axis=(1, 2, 3)))
    assert abs(added.mean()) < 1e-3
    np.testing.assert_allclose(strengths, np.linspace(0, 0.1, 400), atol=0.01)
