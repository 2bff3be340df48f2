"""EfficientNet-Lite0: EfficientNet without squeeze-and-excite and with ReLU6, made for int8.

Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow Blog, 2020; Tan and Le, "EfficientNet:
Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, table 1.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
from keras import layers


class Stage(NamedTuple):
    """Blocks of one shape; the first has the stride."""

    expansion: int
    channels: int
    kernel: int
    stride: int
    blocks: int


STEM_CHANNELS = 32
STAGES = (
    Stage(1, 16, 3, 1, 1),
    Stage(6, 24, 3, 2, 2),
    Stage(6, 40, 5, 2, 2),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 5, 1, 3),
    Stage(6, 192, 5, 2, 4),
    Stage(6, 320, 3, 1, 1),
)
TOP_CHANNELS = 1280
NORMALISATION_EPSILON = 1e-3


def efficientnet_lite0(input_shape: tuple[int | None, int | None, int]) -> keras.Model:
    """Build EfficientNet-Lite0 with random weights and without its classifier.

    Layers have the names that EfficientNet has in keras.applications.

    Parameters
    ----------
    input_shape
        Height, width and channels of the images; None for a size that varies.
    """
    image = keras.Input(input_shape)
    x = _activation(_convolution(image, "stem", STEM_CHANNELS, kernel=3, stride=2), "stem")
    for number, stage in enumerate(STAGES, start=1):
        for block in range(stage.blocks):
            x = _block(x, f"block{number}{chr(ord('a') + block)}_", stage, stage.stride if block == 0 else 1)
    x = _activation(_convolution(x, "top", TOP_CHANNELS, kernel=1), "top")
    return keras.Model(image, x, name="efficientnetlite0")


def _block(x: keras.KerasTensor, prefix: str, stage: Stage, stride: int) -> keras.KerasTensor:
    """Add an inverted residual block: expand the channels, filter each, project them."""
    block = x
    if stage.expansion > 1:
        channels = x.shape[-1] * stage.expansion
        block = _activation(_convolution(block, f"{prefix}expand", channels, kernel=1), f"{prefix}expand")
    block = layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{prefix}dwconv"
    )(block)
    block = layers.BatchNormalization(epsilon=NORMALISATION_EPSILON, name=f"{prefix}bn")(block)
    block = _convolution(_activation(block, prefix.rstrip("_")), f"{prefix}project", stage.channels, kernel=1)
    if stride == 1 and x.shape[-1] == stage.channels:
        block = layers.Add(name=f"{prefix}add")([block, x])
    return block


def _convolution(x: keras.KerasTensor, name: str, channels: int, kernel: int, stride: int = 1) -> keras.KerasTensor:
    settings = {"strides": stride, "padding": "same", "use_bias": False}
    x = layers.Conv2D(channels, kernel, **settings, name=f"{name}_conv")(x)
    return layers.BatchNormalization(epsilon=NORMALISATION_EPSILON, name=f"{name}_bn")(x)


def _activation(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(6.0, name=f"{name}_activation")(x)
