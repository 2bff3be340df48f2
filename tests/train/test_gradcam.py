"""Grad-CAM by hand agrees with Grad-CAM by gradients, for a released model whose head works on pooled features."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pneumo_train.gradcam import heatmaps_of

RELEASED = Path(__file__).parents[2] / "models" / "pneumo-resnet50.keras"


def test_the_heatmap_is_that_of_the_gradients() -> None:
    trunk = keras.models.load_model(RELEASED).get_layer("trunk")
    films = np.random.default_rng(0).integers(0, 256, (4, 224, 224, 1), dtype=np.uint8)
    pooled = trunk.get_layer("features")
    activations = keras.Model(trunk.input, pooled.input)(films.astype(np.float32), training=False)
    rest = keras.Model(pooled.input, trunk.output["logit"])
    with tf.GradientTape() as tape:
        tape.watch(activations)
        logit = rest(activations, training=False)
    gradient = np.asarray(tape.gradient(logit, activations))
    expected = np.maximum((np.asarray(activations) * gradient.mean(axis=(1, 2), keepdims=True)).sum(axis=-1), 0)
    heatmaps = heatmaps_of(trunk)
    assert heatmaps is not None
    ours = heatmaps(films)
    assert ours.shape == (4, 7, 7)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-5 * max(1.0, expected.max()))
