"""A training run small enough for tests: a recipe, drawn films, and weights to start from."""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TINY_RECIPE = """
summary = "a tiny recipe for tests"

[split]
seed = 7
validation = 0.3
test = 0.2

[network]
backbone = "resnet50"
scaling = "equalised"
output_stride = 16
pooling = "lungs"
dropout = 0.1

[augment]
flip = true
rotation_degrees = 1
shift = 0.01
brightness = 0.02
contrast = 0.05

[fit]
batch_size = 8
weight_decay = 1e-4
class_balance = "weights"
early_stopping_patience = 20
reduce_rate_patience = 3
reduce_rate_factor = 0.5

[[phases]]
name = "head"
train = "head"
image_size = 112
batch_normalisation = "frozen"
epochs = 8
learning_rate = 1e-3

[[phases]]
name = "top"
train = 10
image_size = 112
batch_normalisation = "frozen"
epochs = 2
learning_rate = 1e-5
"""


LIGHT_RECIPE = (
    TINY_RECIPE.replace('"resnet50"', '"mobilenetv2"')
    .replace('"equalised"', '"imagenet"')
    .replace("output_stride = 16", "output_stride = 32")
    .replace("image_size = 112", "image_size = 64")
)


@dataclass(frozen=True)
class TinyTraining:
    """What a small training run on drawn films starts from."""

    data: Path
    recipe: Path
    weights: Path
    cache: Path

    def command(self, output: Path) -> list[str | Path]:
        """The command that trains into a run folder."""
        options = {"data": self.data, "recipe": self.recipe, "weights": self.weights, "cache": self.cache}
        listed = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [sys.executable, "-m", "pneumo_train", *listed, "--output", output]


def write_light_weights(path: Path) -> Path:
    """Stand in for ImageNet weights where only the course of a training is looked at, not what it ends in."""
    import keras

    keras.utils.set_random_seed(3)
    keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(None, None, 3)).save_weights(path)
    return path


def write_weights(path: Path, data: Path) -> Path:
    """Stand in for ImageNet weights: random ones whose batch normalisation has seen films."""
    import keras

    from pneumo_infer.films.preprocess import read_pixels

    keras.utils.set_random_seed(3)
    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(224, 224, 3))
    films = np.stack([read_pixels(film) for film in sorted(data.rglob("*.jpeg"))[::5]])
    colour = keras.applications.resnet50.preprocess_input(np.repeat(films[..., None], 3, axis=3).astype(np.float32))
    normalisations = [layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in normalisations:
        layer.momentum = 0.0
        # Sixteen random blocks in a row would blow rounding errors up; each adds a little to its shortcut instead.
        if layer.name.endswith("_3_bn"):
            layer.gamma.assign(np.full(layer.gamma.shape, 0.1))
    backbone(colour, training=True)
    backbone.save_weights(path)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file's rows; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
