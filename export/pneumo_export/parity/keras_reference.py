"""The outputs of the Keras model that exported files are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from pneumo_infer.films.preprocess import NETWORK_SIZE
from pneumo_infer.films.raster import Film
from pneumo_train.data.batches import predict
from pneumo_train.model.calibration import Scores
from pneumo_train.model.trained import TrainedModel

HEATMAP_FILMS = 64


@dataclass(frozen=True, slots=True)
class Reference:
    """The outputs of the Keras model for the films of the parity check.

    Attributes
    ----------
    probabilities, distances
        float32 (N,).
    in_domain
        bool (N,), with the limit of the Keras model.
    heatmap_rows
        int (M,), the indices of the films in `heatmaps`, spread evenly over all films.
    heatmaps
        float32 (M, h, w).
    adversarial
        float32 (A,), the probabilities for `adversarial_films`.
    """

    probabilities: Scores
    distances: Scores
    in_domain: NDArray[np.bool_]
    heatmap_rows: NDArray[np.intp]
    heatmaps: Scores
    adversarial: Scores


def adversarial_films() -> Film:
    """Return a black film, a white one, noise, and a single bright pixel: uint8 (4, 224, 224, 1)."""
    films = np.zeros((4, NETWORK_SIZE, NETWORK_SIZE, 1), np.uint8)
    films[1] = 255
    films[2] = np.random.default_rng(0).integers(0, 256, films[2].shape)
    films[3, NETWORK_SIZE // 2, NETWORK_SIZE // 2] = 255
    return films


def keras_reference(source: TrainedModel, pixels: Film) -> Reference:
    """Run the Keras model on decoded films, uint8 (N, 224, 224, 1)."""
    outputs = predict(source.keras_model, pixels)
    rows = np.unique(np.linspace(0, len(pixels) - 1, HEATMAP_FILMS).astype(np.intp))
    distances = outputs["domain_distance"][:, 0]
    return Reference(
        probabilities=outputs["probability"][:, 0],
        distances=distances,
        in_domain=distances <= source.description.ood.limit,
        heatmap_rows=rows,
        heatmaps=_heatmaps(source.keras_model.get_layer("trunk"), pixels[rows]),
        adversarial=predict(source.keras_model, adversarial_films())["probability"][:, 0],
    )


def _heatmaps(trunk: keras.Model, pixels: Film) -> Scores:
    heatmaps: Scores = predict(keras.Model(trunk.input, trunk.output["heatmap"]), pixels)
    return heatmaps
