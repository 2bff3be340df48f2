"""Random sharpness: films get the power spectrum of another film, and are blurred or sharpened."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

BANDS = 12
LOWEST_BAND = 2.0  # cycles per film; power below it comes from anatomy, not sharpness
JITTER = 0.15  # standard deviation of each band's log gain
LARGEST_GAIN = math.log(8)
UNSHARP_SIGMA = 1.5  # pixels, standard deviation of the unsharp mask's blur


@keras.saving.register_keras_serializable("pneumo_train")
class RandomSpectrum(keras.layers.Layer):  # type: ignore[misc]
    """Changes how sharp films are, in training only, so that sharpness carries no information.

    The power of each film in radial frequency bands moves, by a random amount, towards that of another film of the
    batch. This follows Fourier domain adaptation (Yang & Soatto, "FDA", CVPR 2020), but replaces its low-frequency
    square with the bands that show how a film was acquired. The film is then blurred or sharpened at random.

    Parameters
    ----------
    share
        Share of films to change, 0 to 1.
    blur
        Largest standard deviation of the Gaussian, in pixels; small values are drawn more often.
    sharpen
        Largest amount of unsharp masking.
    seed
        Seed of the random draws; None for a random seed.
    """

    def __init__(self, share: float, blur: float, sharpen: float, seed: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.share, self.blur, self.sharpen, self.seed = share, blur, sharpen, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, films: Any, training: bool = False) -> Any:
        """Change the sharpness of films, (N, H, W, 1) in 0..1, and keep their shape and range."""
        if not training:
            return films
        count, (rows, columns) = ops.shape(films)[0], films.shape[1:3]
        planes = ops.cast(films[..., 0], "float32")
        frequencies = ops.fft2((planes, ops.zeros_like(planes)))
        gain = self._gain(frequencies, count, rows, columns)
        changed = ops.ifft2((frequencies[0] * gain, frequencies[1] * gain))[0]
        chosen = keras.random.uniform((count, 1, 1), seed=self.generator) < self.share
        return ops.cast(ops.clip(ops.where(chosen, changed, planes), 0.0, 1.0)[..., None], films.dtype)

    def _gain(self, frequencies: tuple[Any, Any], count: Any, rows: int, columns: int) -> Any:
        """Draw the gain of each frequency, (N, H, W)."""
        weights = ops.convert_to_tensor(band_weights(rows, columns))  # (H * W, BANDS)
        power = ops.reshape(ops.square(frequencies[0]) + ops.square(frequencies[1]), (-1, rows * columns))
        log_power = ops.log(ops.matmul(power, weights / ops.sum(weights, axis=0)) + 1e-6)
        amount = keras.random.uniform((count, 1), seed=self.generator)
        jitter = keras.random.normal((count, BANDS), stddev=JITTER, seed=self.generator)
        log_gain = 0.5 * amount * (ops.roll(log_power, 1, axis=0) - log_power) + jitter
        bands = ops.exp(ops.matmul(ops.clip(log_gain, -LARGEST_GAIN, LARGEST_GAIN), ops.transpose(weights)))
        return ops.reshape(bands, (-1, rows, columns)) * self._blur_or_sharpen(count, rows, columns)

    def _blur_or_sharpen(self, count: Any, rows: int, columns: int) -> Any:
        squared = ops.convert_to_tensor(squared_frequencies(rows, columns))  # (H, W)
        drawn = keras.random.uniform((count, 1, 1), -1.0, 1.0, seed=self.generator)
        sigma = self.blur * ops.square(ops.maximum(drawn, 0.0))
        blurred = ops.exp(-2 * math.pi**2 * ops.square(sigma) * squared)
        unsharp = 1 - ops.exp(-2 * math.pi**2 * UNSHARP_SIGMA**2 * squared)
        return blurred * (1 + self.sharpen * ops.maximum(-drawn, 0.0) * unsharp)

    def get_config(self) -> dict[str, Any]:
        own = {"share": self.share, "blur": self.blur, "sharpen": self.sharpen, "seed": self.seed}
        return {**super().get_config(), **own}


@cache
def squared_frequencies(rows: int, columns: int) -> NDArray[np.float32]:
    """Compute the squared radial frequency of each element of a Fourier transform, in (cycles per pixel)^2: (H, W)."""
    squared = np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.fftfreq(columns) ** 2
    return np.asarray(squared, np.float32)


@cache
def band_weights(rows: int, columns: int) -> NDArray[np.float32]:
    """Compute the weight of each frequency in each band, (H * W, BANDS): linear between log-spaced band centres.

    Frequencies below the first band have no weight, so that the mean and the coarse shapes of a film do not change.
    """
    cycles = np.sqrt(squared_frequencies(rows, columns).ravel()) * min(rows, columns)
    centres = np.log(np.geomspace(LOWEST_BAND * 2, min(rows, columns) / 2, BANDS))
    position = np.interp(np.log(np.maximum(cycles, 1e-3)), centres, np.arange(BANDS))
    weights = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(BANDS)))
    weights[cycles < LOWEST_BAND] = 0
    return np.asarray(weights, np.float32)
