"""Grad-CAM by hand agrees with Grad-CAM by gradients, for every head that the recipes have."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from pneumo_train.gradcam import grad_cam, last_activations
from pneumo_train.network import build_trunk, find_backbone
from pneumo_train.recipe import builtin_recipes


@pytest.mark.parametrize("recipe", ["finetune", "frozen", "mobilenet", "scratch"])
def test_the_heatmap_is_that_of_the_gradients(recipe: str) -> None:
    keras.utils.set_random_seed(1)
    trunk = build_trunk("none", builtin_recipes()[recipe].network)
    for layer in find_backbone(trunk).layers:  # random weights with statistics as if trained, so that activations live
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    films = np.random.default_rng(0).uniform(0, 255, (4, 224, 224, 1)).astype(np.float32)
    find_backbone(trunk)(np.repeat(films, 3, axis=3) / 255, training=True)
    activations = last_activations(trunk)(films, training=False)

    rest = keras.Model(trunk.get_layer("features").input, trunk.output["logit"])
    with tf.GradientTape() as tape:
        tape.watch(activations)
        logit = rest(activations, training=False)
    np.testing.assert_allclose(logit, trunk(films)["logit"], rtol=1e-4, atol=1e-4)
    gradient = np.asarray(tape.gradient(logit, activations))
    expected = np.maximum((np.asarray(activations) * gradient.mean(axis=(1, 2), keepdims=True)).sum(axis=-1), 0)
    ours = np.asarray(grad_cam(trunk, activations))
    assert ours.shape == (4, 7, 7)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-6 * max(1.0, expected.max()))
