"""Random resized crops, which Keras does not provide."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

WIDEST_ASPECT = 4 / 3


@keras.saving.register_keras_serializable("pneumo_train")
class RandomResizedCrop(keras.layers.Layer):  # type: ignore[misc]
    """Crops a random part of each film and resizes it to the film's size, in training only.

    Area and aspect ratio are drawn for each film as in Szegedy et al., "Going Deeper with Convolutions", CVPR 2015: the
    area uniformly between `min_crop_area` and the whole film, the aspect ratio log-uniformly between 3/4 and 4/3.

    Parameters
    ----------
    min_crop_area
        Smallest share of the film's area, above 0 and at most 1.
    seed
        Seed of the random draws; None for a random seed.
    """

    def __init__(self, min_crop_area: float, seed: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.min_crop_area = min_crop_area
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, films: Any, training: bool = False) -> Any:
        """Crop films, (N, H, W, C), and keep their shape."""
        if not training:
            return films
        count, rows, columns = ops.shape(films)[:3]
        area, aspect, down, across = (
            keras.random.uniform((count,), low, high, seed=self.generator)
            for low, high in (
                (self.min_crop_area, 1.0),
                (-math.log(WIDEST_ASPECT), math.log(WIDEST_ASPECT)),
                (0.0, 1.0),
                (0.0, 1.0),
            )
        )
        width = ops.minimum(1.0, ops.sqrt(area * ops.exp(aspect)))
        height = ops.minimum(1.0, ops.sqrt(area * ops.exp(-aspect)))
        # The transform maps pixel centres of the result to pixel centres of the film.
        left = (1.0 - width) * across * columns + 0.5 * width - 0.5
        top = (1.0 - height) * down * rows + 0.5 * height - 0.5
        zero = ops.zeros_like(width)
        transform = ops.stack([width, zero, left, zero, height, top, zero, zero], axis=1)
        return ops.image.affine_transform(films, transform, interpolation="bilinear", fill_mode="nearest")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "min_crop_area": self.min_crop_area, "seed": self.seed}
