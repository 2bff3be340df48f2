"""Backbones for grey films: ImageNet networks whose first convolution takes one channel."""

from __future__ import annotations

from typing import Any

import keras
from numpy.typing import NDArray

from pneumo_train.errors import RecipeError, first_line
from pneumo_train.model.backbones import BACKBONES
from pneumo_train.model.efficientnet_lite import efficientnet_lite0


def build_backbone(name: str, weights: str, output_stride: int = 32) -> keras.Model:
    """Build a backbone for one grey channel.

    The first convolution sums its kernels over the colour channels, which is equivalent to three equal channels.

    Parameters
    ----------
    name
        A key of `BACKBONES`.
    weights
        `imagenet` (downloaded by Keras), `none` (random), or the path of a no-top weights file for the backbone.
    output_stride
        Film pixels per cell of the last feature maps: 32, or 16 to remove the stride of the last stage, as in Luo et
        al., "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", CVPRW 2019.

    Returns
    -------
    keras.Model
        float32 (N, H, W, 1) to the last feature maps, and those at 1/8 and 1/16 of the film size.

    Raises
    ------
    RecipeError
        The weights cannot be loaded.
    """
    backbone = BACKBONES[name]
    grey = keras_backbone(name, channels=1)
    if output_stride == 16:
        grey = _without_strides(grey, backbone.last_strides)
    if weights != "none":
        _copy_weights(_load(name, weights), grey, backbone.first_convolution)
    stages = [grey.get_layer(layer).input for layer in backbone.after_stages]
    return keras.Model(grey.input, [grey.output, *stages], name=name)


def keras_backbone(name: str, channels: int, weights: str | None = None) -> keras.Model:
    """Build a backbone as Keras has it, without its classifier, for images of any size.

    Raises
    ------
    Exception
        Keras can raise ValueError, OSError, and h5py and download errors if the weights cannot be loaded.
    """
    backbone, shape = BACKBONES[name], (None, None, channels)
    if backbone.builder is not None:
        build = getattr(keras.applications, backbone.builder)
        return build(include_top=False, weights=weights, input_shape=shape, **backbone.options)
    network = efficientnet_lite0(shape)
    if weights == "imagenet":
        raise ValueError(f"Keras has no weights for {name}")
    if weights:
        network.load_weights(weights)
    return network


def _without_strides(network: keras.Model, layers: tuple[str, ...]) -> keras.Model:
    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config() | ({"strides": (1, 1)} if layer.name in layers else {})
        return type(layer).from_config(config)

    return keras.models.clone_model(network, clone_function=clone)


def _load(name: str, weights: str) -> keras.Model:
    try:
        return keras_backbone(name, 3, weights)
    except Exception as error:
        remedy = f"use imagenet, none, or the path of a no-top {name} weights file"
        if weights == "imagenet" and BACKBONES[name].builder is None:
            remedy = "convert them as docs/training.md describes, and pass the path of the file to --weights"
        elif weights == "imagenet":
            remedy = "check the network connection, or pass the path of a local file to --weights"
        raise RecipeError(f"weights {weights}", f"cannot be loaded ({first_line(error)})", remedy) from error


def _copy_weights(colour: keras.Model, grey: keras.Model, first: str) -> None:
    for source, target in zip(colour.layers, grey.layers, strict=True):
        values: list[NDArray[Any]] = source.get_weights()
        if source.name == first:
            values[0] = values[0].sum(axis=2, keepdims=True)
        target.set_weights(values)
