"""Where a network sees the evidence: Grad-CAM of the PNEUMONIA logit, without a gradient at run time.

Selvaraju et al., "Grad-CAM", ICCV 2017. The head works on the mean of the last activations over the film, so that the
logit's gradient is the same at each place, and follows from the head's few layers by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from pneumo_infer.images import Film
from pneumo_infer.preprocess import NETWORK_SIZE
from pneumo_train.calibrate import Scores


def heatmaps_of(trunk: keras.Model) -> Callable[[Film], Scores] | None:
    """Give what makes heatmaps of films, uint8 (B, 224, 224, 1) to float32 (B, S, S); None where no map can be made.

    A map needs a trunk that gives one, or has a head on the mean of its last activations.
    """
    if "heatmap" not in trunk.output:
        if not {"features", "head"} <= {layer.name for layer in trunk.layers}:
            return None
        trunk = with_grad_cam(trunk)
    alone = keras.Model(trunk.input, trunk.output["heatmap"])
    return lambda films: np.asarray(alone(films.astype(np.float32), training=False))


def with_grad_cam(trunk: keras.Model) -> keras.Model:
    """Give a trunk whose head works on pooled features the further output `heatmap`, (N, S, S)."""
    pixels = keras.Input((NETWORK_SIZE, NETWORK_SIZE, 1), name="pixels")
    inside = keras.Model(trunk.input, {**trunk.output, "activations": trunk.get_layer("features").input})
    seen = inside(pixels)
    heatmap = grad_cam(trunk, seen.pop("activations"))
    return keras.Model(pixels, {**seen, "heatmap": heatmap})


def grad_cam(trunk: keras.Model, activations: Any) -> Any:
    """Weigh the last activations by the logit's gradient, and rectify: (N, h, w, C) to (N, h, w), not normalised."""
    features = trunk.get_layer("features")(activations)
    places = activations.shape[1] * activations.shape[2]
    weights = _head_gradient(trunk, features) / places
    return ops.relu(ops.sum(activations * weights[:, None, None, :], axis=-1))


def _head_gradient(trunk: keras.Model, features: Any) -> Any:
    """Gradient of the logit with respect to the pooled features: (N, C) each."""
    head = _head_layers(trunk)
    values = [features]
    for layer in head:
        values.append(layer(values[-1]))
    # A film's logit is its one output, or the difference of two (see network.build_trunk).
    last = values[-1]
    gradient = ops.ones_like(last) if last.shape[-1] == 1 else ops.ones_like(last) * ops.array([[-1.0, 1.0]])
    for layer, output in zip(reversed(head), reversed(values[1:]), strict=True):
        gradient = _backwards(layer, output, gradient)
    return gradient


def _head_layers(trunk: keras.Model) -> list[keras.layers.Layer]:
    chain = [layer for layer in trunk.layers if not layer.name.startswith("domain_features")]  # beside the head
    names = [layer.name for layer in chain]
    return chain[names.index("features") + 1 : names.index("head") + 1]


def _backwards(layer: keras.layers.Layer, output: Any, gradient: Any) -> Any:
    if isinstance(layer, keras.layers.Dense):
        if layer.activation is keras.activations.relu:
            gradient = gradient * ops.cast(output > 0, gradient.dtype)
        return ops.matmul(gradient, ops.transpose(layer.kernel))
    if isinstance(layer, keras.layers.BatchNormalization):
        return gradient * layer.gamma / ops.sqrt(layer.moving_variance + layer.epsilon)
    return gradient  # dropout does nothing outside training
