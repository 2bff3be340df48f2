"""Random shading: smooth brightness gradients, as from scatter, grids and the heel effect."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

NODES = 4  # of the field, along each side


@keras.saving.register_keras_serializable("pneumo_train")
class RandomShading(keras.layers.Layer):  # type: ignore[misc]
    """Adds a smooth random field to each film, in training only, so that regional brightness carries less information.

    Parameters
    ----------
    deviation
        Standard deviation of the field at its nodes, as a fraction of the grey range.
    seed
        Seed of the random draws; None for a random seed.
    """

    def __init__(self, deviation: float, seed: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.deviation, self.seed = deviation, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, films: Any, training: bool = False) -> Any:
        """Shade films, (N, H, W, 1) in 0..1, and keep their shape and range. Black stays black."""
        if not training:
            return films
        nodes = keras.random.normal(
            (ops.shape(films)[0], NODES, NODES, 1), stddev=self.deviation, seed=self.generator, dtype=films.dtype
        )
        field = ops.image.resize(nodes, films.shape[1:3], interpolation="bicubic")
        return ops.where(films > 0, ops.clip(films + field, 1 / 255, 1.0), films)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "deviation": self.deviation, "seed": self.seed}
