"""The backbones by name: where each one's parts are, and what its ImageNet weights expect.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; Sandler et al., "MobileNetV2", CVPR 2018; Huang et
al., "Densely Connected Convolutional Networks", CVPR 2017; Tan and Le, "EfficientNetV2", ICML 2021; Liu, "Higher
accuracy on vision models with EfficientNet-Lite", TensorFlow Blog, 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Standard deviation of ImageNet's grey levels, 0..255.
IMAGENET_DEVIATION = 58.0


@dataclass(frozen=True)
class Backbone:
    """A backbone.

    Attributes
    ----------
    builder
        Name of its function in keras.applications; None if `build_backbone` has its own.
    mean, scale
        Grey level, in 0..255, that the ImageNet weights expect as 0, and what they expect for one grey level more.
    first_convolution
        The layer with the kernels for the colour channels.
    after_stages
        The layers that take the last feature maps at 1/8 and at 1/16 of the film size.
    last_strides
        The strided layers at the start of the last stage, for `output_stride = 16`; empty if it cannot do without.
    options
        More arguments of the builder.
    """

    builder: str | None
    mean: float
    scale: float
    first_convolution: str
    after_stages: tuple[str, str]
    last_strides: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


# Mean and deviation that torchvision's weights expect, averaged over the colours.
_TORCH_MEAN = 0.449 * 255
_TORCH_SCALE = 1 / (0.226 * 255)

BACKBONES = {
    "resnet50": Backbone(
        "ResNet50",
        114.799,  # of the three means that keras.applications.resnet50.preprocess_input subtracts
        1.0,
        "conv1_conv",
        ("conv4_block1_1_conv", "conv5_block1_1_conv"),
        ("conv5_block1_0_conv", "conv5_block1_1_conv"),
    ),
    "mobilenetv2": Backbone("MobileNetV2", 127.5, 1 / 127.5, "Conv1", ("block_6_pad", "block_13_pad")),
    "densenet121": Backbone(
        "DenseNet121",
        _TORCH_MEAN,
        _TORCH_SCALE,
        first_convolution="conv1_conv",
        after_stages=("pool3_conv", "pool4_conv"),
    ),
    "efficientnetv2b0": Backbone(
        "EfficientNetV2B0",
        _TORCH_MEAN,
        _TORCH_SCALE,
        first_convolution="stem_conv",
        after_stages=("block4a_dwconv2", "block6a_dwconv2"),
        last_strides=("block6a_dwconv2",),
        options={"include_preprocessing": False},
    ),
    "efficientnetlite0": Backbone(
        None, 127.0, 1 / 128, "stem_conv", ("block4a_dwconv", "block6a_dwconv"), ("block6a_dwconv",)
    ),
}
