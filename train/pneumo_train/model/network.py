"""The network: the trunk, and the training and serving models around it.

Trunk and serving model contain only built-in Keras layers, so that their files load without this package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import ops

from pneumo_infer.films.preprocess import NETWORK_SIZE
from pneumo_train.augmentation.layers import augmented
from pneumo_train.model.backbones import BACKBONES, IMAGENET_DEVIATION
from pneumo_train.model.build_backbone import build_backbone
from pneumo_train.model.calibration import Calibration
from pneumo_train.model.equalisation import equalised
from pneumo_train.model.lung_loss import LungFieldLoss
from pneumo_train.ood.detector import OodDetector, add_ood_distance
from pneumo_train.recipe import Augment, Network, Phase

# With Keras' default of 0.99, the statistics lag behind the weights for most of an epoch of a few hundred batches.
BATCH_NORMALISATION_MOMENTUM = 0.9
FILM_SHAPE = (NETWORK_SIZE, NETWORK_SIZE, 1)
MIN_LUNG_WEIGHT = 1e-3  # of every cell, so that a film without visible lungs still has evidence


def build_trunk(weights: str, network: Network, image_size: int = NETWORK_SIZE) -> keras.Model:
    """Build backbone and head.

    The input is float32 (N, 224, 224, 1) in 0..255. The outputs are a dict:

    - `logit`, float32 (N, 1): the logit of PNEUMONIA, which is the sum of the evidence in all cells.
    - `heatmap`, float32 (N, S, S): the evidence for PNEUMONIA in each cell; negative evidence is set to 0.
    - `ood_features`, float32 (N, C): features for out-of-distribution detection.
    - `lungs`, float32 (N, S, S, 1), only with pooling over the lungs: the logit that a cell is lung.

    Parameters
    ----------
    weights
        `imagenet` (downloaded by Keras), `none` (random), or the path of a no-top weights file for the backbone.
    network
        The network section of the recipe.
    image_size
        Size in pixels that the trunk shrinks films to.

    Raises
    ------
    RecipeError
        The weights cannot be loaded.
    """
    pixels = keras.Input(FILM_SHAPE, name="pixels")
    x = pixels
    if image_size < NETWORK_SIZE:
        # An operation, because the layer keras.layers.Resizing puts all later layers into training mode by default.
        # ONNX opset 18 has no equivalent of TensorFlow's antialiasing, which is only needed below half the size.
        x = ops.image.resize(x, (image_size, image_size), antialias=2 * image_size < NETWORK_SIZE)
    maps, *middle = build_backbone(network.backbone, weights, network.output_stride)(_scaled(x, network))
    evidence = _head(maps, network)
    outputs = {}
    if network.pooling == "lungs":
        outputs["lungs"] = _dense(maps, 1, "lungs", network)
        weight = ops.stop_gradient(ops.sigmoid(outputs["lungs"])) + MIN_LUNG_WEIGHT
        share = weight / ops.sum(weight, axis=(1, 2), keepdims=True)
        evidence = evidence * share
    else:
        evidence = evidence / float(maps.shape[1] * maps.shape[2])
    outputs["logit"] = ops.sum(evidence, axis=(1, 2))
    outputs["heatmap"] = ops.relu(evidence[..., 0])
    pooled = [
        keras.layers.GlobalAveragePooling2D(name=f"domain_features_{number}")(stage)
        for number, stage in enumerate(middle, start=1)
    ]
    outputs["ood_features"] = keras.layers.Concatenate(name="ood_features")(pooled)
    return keras.Model(pixels, outputs, name="trunk")


def rebuild_trunk(trunk: keras.Model, network: Network, image_size: int = NETWORK_SIZE) -> keras.Model:
    """Build a copy of a trunk with the current precision and devices, and another image size if given."""
    rebuilt = build_trunk("none", network, image_size)
    rebuilt.set_weights(trunk.get_weights())
    return rebuilt


def build_training_model(
    trunk: keras.Model, augment: Augment, phase: Phase, seed: int, lung_fields: bool = False
) -> keras.Model:
    """Put augmentation in front of the trunk: uint8 (N, 224, 224, C) to logits, (N, 1).

    Augmentation is active only in training.

    Parameters
    ----------
    trunk
        Result of `build_trunk` with the image size of the phase.
    lung_fields
        Whether the input has a second channel with the lung fields (255 inside), from which the trunk learns `lungs`.
    """
    image = keras.Input((NETWORK_SIZE, NETWORK_SIZE, 1 + lung_fields), dtype="uint8", name="image")
    x = augmented(image, augment, phase.min_crop_area, seed)
    outputs = trunk(x[..., :1])
    logit = outputs["logit"]
    if lung_fields:
        logit = LungFieldLoss(name="lung_field_loss", dtype="float32")([logit, outputs["lungs"], x[..., 1:]])
    return keras.Model(image, logit, name="training")


def build_serving_model(trunk: keras.Model, calibration: Calibration, detector: OodDetector) -> keras.Model:
    """Add calibration and the out-of-distribution detector to the trunk.

    The model takes uint8 (N, 224, 224, 1) and returns `logit`, `probability` and `domain_distance`, each float32
    (N, 1).
    """
    image = keras.Input(FILM_SHAPE, dtype="uint8", name="image")
    outputs = trunk(keras.layers.Rescaling(1.0, name="to_float")(image))
    calibrate = keras.layers.Rescaling(calibration.slope, calibration.offset, name="calibration")
    serving = {
        "logit": outputs["logit"],
        "probability": keras.layers.Activation("sigmoid", name="probability")(calibrate(outputs["logit"])),
        "domain_distance": add_ood_distance(outputs["ood_features"], detector),
    }
    return keras.Model(image, serving, name="pneumo")


def set_trainable(trunk: keras.Model, phase: Phase, pretrained: bool) -> None:
    """Unfreeze the backbone layers that a phase trains, and freeze the others. The head is always trainable.

    A backbone without pretrained weights is trained as a whole in every phase.
    """
    backbone = find_backbone(trunk)
    backbone.trainable = True
    layers = backbone.layers
    count = {"head": 0, "all": len(layers)}[phase.train] if isinstance(phase.train, str) else phase.train
    for index, layer in enumerate(reversed(layers)):
        is_normalisation = isinstance(layer, keras.layers.BatchNormalization)
        frozen = is_normalisation and phase.batch_normalisation == "frozen"
        layer.trainable = not pretrained or (index < count and not frozen)
        if is_normalisation:
            layer.momentum = BATCH_NORMALISATION_MOMENTUM


def find_backbone(trunk: keras.Model) -> keras.Model:
    """Return the backbone of a trunk, its only layer that is a model."""
    return next(layer for layer in trunk.layers if isinstance(layer, keras.Model))


def _scaled(films: keras.KerasTensor, network: Network) -> keras.KerasTensor:
    """Scale grey levels to the range that the backbone's weights expect, or to 0..1."""
    backbone = BACKBONES[network.backbone]
    if network.scaling in ("film", "equalised"):
        x = _standardised(films) if network.scaling == "film" else equalised(films)
        return keras.layers.Rescaling(backbone.scale * IMAGENET_DEVIATION, name="scaling")(x)
    scale, mean = (1 / 255, 0.0) if network.scaling == "unit" else (backbone.scale, backbone.mean)
    return keras.layers.Rescaling(scale, -mean * scale, name="scaling")(films)


def _standardised(films: keras.KerasTensor) -> keras.KerasTensor:
    """Scale each film to mean 0 and standard deviation 1, and a blank film to 0.

    Means are computed along rows first. Engines add up the 50,000 pixels of a film in different orders, and in float32
    the results of a single sum, as in Keras' GroupNormalization, differ enough to change a probability by 1e-4.
    """

    def mean(x: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.mean(x, axis=2, keepdims=True), axis=1, keepdims=True)

    centred = films - mean(films)
    return centred / ops.sqrt(mean(ops.square(centred)) + 1.0)


def _head(x: keras.KerasTensor, network: Network) -> keras.KerasTensor:
    """Apply the head to each cell: maps (N, S, S, C) to logits (N, S, S, 1)."""
    if network.head_batch_normalisation:
        x = keras.layers.BatchNormalization(momentum=BATCH_NORMALISATION_MOMENTUM, name="head_normalisation")(x)
    if network.dropout:
        x = keras.layers.SpatialDropout2D(network.dropout, name="dropout")(x)
    if network.hidden_units:
        x = _dense(x, network.hidden_units, "hidden", network, "relu")
    if network.hidden_dropout:
        x = keras.layers.SpatialDropout2D(network.hidden_dropout, name="hidden_dropout")(x)
    if network.classes == "sigmoid":
        return _dense(x, 1, "head", network)
    # The second value of softmax(a, b) is sigmoid(b - a), so the difference is a single logit with the same loss.
    classes = _dense(x, 2, "head", network)
    return classes[..., 1:] - classes[..., :1]


def _dense(x: keras.KerasTensor, units: int, name: str, network: Network, activation: str | None = None) -> Any:
    """Apply a dense layer to each cell. Flattened to rows, this is a plain matrix product in every engine."""
    *cells, channels = x.shape[1:]
    regularizer = keras.regularizers.L2(network.l2) if network.l2 else None
    dense = keras.layers.Dense(units, activation=activation, kernel_regularizer=regularizer, name=name, dtype="float32")
    return ops.reshape(dense(ops.reshape(x, (-1, channels))), (-1, *cells, units))


def weights_name(weights: str) -> str:
    """Return the name of weights for records: `imagenet`, `none`, or the file name without its folder."""
    return weights if weights in ("imagenet", "none") else Path(weights).name
