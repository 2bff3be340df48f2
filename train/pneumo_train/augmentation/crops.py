"""The one augmentation that Keras lacks."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

WIDEST_ASPECT = 4 / 3


@keras.saving.register_keras_serializable("pneumo_train")
class RandomResizedCrop(keras.layers.Layer):  # type: ignore[misc]
    """Shows a random part of each film at the film's full size, in training only.

    Area and aspect ratio are drawn as by Szegedy et al., "Going Deeper with Convolutions", CVPR 2015: the area evenly
    between `min_crop_area` and all of it, the aspect ratio log-evenly between 3/4 and 4/3, each film its own.

    Parameters
    ----------
    min_crop_area
        Share of the film's area, above 0 and at most 1.
    """

    def __init__(self, min_crop_area: float, seed: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.min_crop_area = min_crop_area
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, films: Any, training: bool = False) -> Any:
        """Crop (N, H, W, C), and keep that shape."""
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
        # From a pixel's centre in the result to its centre in the film.
        left = (1.0 - width) * across * columns + 0.5 * width - 0.5
        top = (1.0 - height) * down * rows + 0.5 * height - 0.5
        none = ops.zeros_like(width)
        transform = ops.stack([width, none, left, none, height, top, none, none], axis=1)
        return ops.image.affine_transform(films, transform, interpolation="bilinear", fill_mode="nearest")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "min_crop_area": self.min_crop_area, "seed": self.seed}
