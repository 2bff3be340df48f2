"""Backbones for grey films: ImageNet networks whose first convolution takes one channel.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; Sandler et al., "MobileNetV2", CVPR 2018.
"""

from __future__ import annotations

from typing import Any

import keras
from numpy.typing import NDArray

from pneumo_train.errors import RecipeError, first_line

# Mean of the three channel means that keras.applications.resnet50.preprocess_input subtracts.
IMAGENET_MEAN = 114.799
# Standard deviation of ImageNet's grey levels, on the scale that the backbone's weights expect.
IMAGENET_DEVIATION = {"resnet50": 58.0, "mobilenetv2": 0.45}
# Scale and offset from 0..255 to the input range of the ImageNet weights, or to 0..1.
SCALINGS: dict[tuple[str, str], tuple[float, float]] = {
    ("resnet50", "imagenet"): (1.0, -IMAGENET_MEAN),
    ("mobilenetv2", "imagenet"): (1 / 127.5, -1.0),
    ("resnet50", "unit"): (1 / 255, 0.0),
    ("mobilenetv2", "unit"): (1 / 255, 0.0),
}
# The last layers with feature maps at 1/8 and 1/16 of the film size.
OOD_LAYERS = {
    "resnet50": ("conv3_block4_out", "conv4_block6_out"),
    "mobilenetv2": ("block_6_expand_relu", "block_13_expand_relu"),
}
# The strided convolutions at the start of the last stage.
LAST_STRIDES = {"resnet50": ("conv5_block1_0_conv", "conv5_block1_1_conv")}
FIRST_CONVOLUTION = {"resnet50": "conv1_conv", "mobilenetv2": "Conv1"}
BUILDERS = {"resnet50": keras.applications.ResNet50, "mobilenetv2": keras.applications.MobileNetV2}


def build_backbone(name: str, weights: str, output_stride: int = 32) -> keras.Model:
    """Build a backbone for one grey channel.

    The first convolution sums its kernels over the colour channels, which is equivalent to three equal channels.

    Parameters
    ----------
    name
        A key of `BUILDERS`.
    weights
        `imagenet` (downloaded by Keras), `none` (random), or the path of a no-top weights file for the backbone.
    output_stride
        Film pixels per cell of the last feature maps: 32, or 16 to remove the stride of the last stage, as in Luo et
        al., "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", CVPRW 2019.

    Returns
    -------
    keras.Model
        float32 (N, H, W, 1) to the last feature maps and those of `OOD_LAYERS`.

    Raises
    ------
    RecipeError
        The weights cannot be loaded.
    """
    grey = BUILDERS[name](include_top=False, weights=None, input_shape=(None, None, 1))
    if output_stride == 16:
        grey = _without_strides(grey, LAST_STRIDES[name])
    if weights != "none":
        _copy_weights(_load(name, weights), grey, FIRST_CONVOLUTION[name])
    middle = [grey.get_layer(layer).output for layer in OOD_LAYERS[name]]
    return keras.Model(grey.input, [grey.output, *middle], name=name)


def _without_strides(network: keras.Model, layers: tuple[str, ...]) -> keras.Model:
    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config() | ({"strides": (1, 1)} if layer.name in layers else {})
        return type(layer).from_config(config)

    return keras.models.clone_model(network, clone_function=clone)


def _load(name: str, weights: str) -> keras.Model:
    try:
        return BUILDERS[name](include_top=False, weights=weights, input_shape=(None, None, 3))
    except Exception as error:  # Keras can raise ValueError, OSError, and h5py and download errors
        remedy = f"use imagenet, none, or the path of a no-top {name} weights file"
        if weights == "imagenet":
            remedy = "check the network connection, or pass the path of a local file to --weights"
        raise RecipeError(f"weights {weights}", f"cannot be loaded ({first_line(error)})", remedy) from error


def _copy_weights(colour: keras.Model, grey: keras.Model, first: str) -> None:
    for source, target in zip(colour.layers, grey.layers, strict=True):
        values: list[NDArray[Any]] = source.get_weights()
        if source.name == first:
            values[0] = values[0].sum(axis=2, keepdims=True)
        target.set_weights(values)
