"""Random noise, of a different strength in each film."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("pneumo_train")
class RandomNoise(keras.layers.Layer):  # type: ignore[misc]
    """Adds Gaussian noise to each film, in training only.

    Its standard deviation is drawn for each film, uniformly from 0. With Keras' GaussianNoise, which has the same
    deviation everywhere, a network never learns from a film without noise.

    Parameters
    ----------
    deviation
        Largest standard deviation, as a fraction of the grey range.
    seed
        Seed of the random draws; None for a random seed.
    """

    def __init__(self, deviation: float, seed: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.deviation, self.seed = deviation, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, films: Any, training: bool = False) -> Any:
        """Add noise to films, (N, H, W, 1) in 0..1, and keep their shape; values may leave the range."""
        if not training:
            return films
        shape = ops.shape(films)
        strength = keras.random.uniform((shape[0], 1, 1, 1), 0.0, self.deviation, films.dtype, seed=self.generator)
        return films + strength * keras.random.normal(shape, dtype=films.dtype, seed=self.generator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "deviation": self.deviation, "seed": self.seed}
