"""The network: a trunk on grey films, the model that is trained and the model that is served.

Trunk and served model are made of Keras' own layers, so that a saved file loads anywhere without this package.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from pneumo_infer.films.preprocess import NETWORK_SIZE
from pneumo_infer.films.raster import Film
from pneumo_train.augmentation.layers import augmented
from pneumo_train.model.backbones import IMAGENET_DEVIATION, SCALINGS, build_backbone
from pneumo_train.model.calibration import Calibration, Scores
from pneumo_train.model.equalisation import equalised
from pneumo_train.model.lung_loss import LungFieldLoss
from pneumo_train.ood.detector import OodDetector, add_ood_distance
from pneumo_train.recipe import Augment, Network, Phase

# Keras' own 0.99 lags behind the weights for most of an epoch of a few hundred batches.
BATCH_NORMALISATION_MOMENTUM = 0.9
FILM_SHAPE = (NETWORK_SIZE, NETWORK_SIZE, 1)
LEAST_SHARE = 1e-3  # of each place, relative to one that is certainly lung, so that no film is left without evidence


def build_trunk(weights: str, network: Network, image_size: int = NETWORK_SIZE) -> keras.Model:
    """Build backbone and head: float32 (N, 224, 224, 1) in 0..255 to a dict of outputs.

    - `logit`, float32 (N, 1): of PNEUMONIA; the sum of the evidence at all places.
    - `heatmap`, float32 (N, S, S): that evidence where it speaks for PNEUMONIA, else 0.
    - `ood_features`, float32 (N, C): tell films from other pictures.
    - `lungs`, float32 (N, S, S, 1), only where evidence is pooled over the lungs: logits of a place being lung.

    Parameters
    ----------
    weights
        `imagenet` (Keras downloads them), `none` (random), or the path of a no-top weights file of the backbone.
    image_size
        To how many pixels the trunk shrinks films; at `NETWORK_SIZE` it takes them as they come.

    Raises
    ------
    RecipeError
        The weights cannot be loaded.
    """
    pixels = keras.Input(FILM_SHAPE, name="pixels")
    x = pixels
    if image_size < NETWORK_SIZE:
        # No layer, since Keras' own turns everything behind it to training where nobody says not to. ONNX' opset 18 has
        # no smoothing as TensorFlow does it, and down to half the size each pixel counts without.
        x = ops.image.resize(x, (image_size, image_size), antialias=2 * image_size < NETWORK_SIZE)
    maps, *middle = build_backbone(network.backbone, weights, network.output_stride)(_scaled(x, network))
    evidence = _head(maps, network)
    outputs = {}
    if network.pooling == "lungs":
        outputs["lungs"] = _dense(maps, 1, "lungs", network)
        weight = ops.stop_gradient(ops.sigmoid(outputs["lungs"])) + LEAST_SHARE
        share = weight / ops.sum(weight, axis=(1, 2), keepdims=True)
        at_places = evidence * share
    else:
        at_places = evidence / float(maps.shape[1] * maps.shape[2])
    outputs["logit"] = ops.sum(at_places, axis=(1, 2))
    outputs["heatmap"] = ops.relu(at_places[..., 0])
    pooled = [
        keras.layers.GlobalAveragePooling2D(name=f"domain_features_{number}")(stage)
        for number, stage in enumerate(middle, start=1)
    ]
    outputs["ood_features"] = keras.layers.Concatenate(name="ood_features")(pooled)
    return keras.Model(pixels, outputs, name="trunk")


def rebuild_trunk(trunk: keras.Model, network: Network, image_size: int = NETWORK_SIZE) -> keras.Model:
    """Build a new trunk with another's weights, under the precision and on the devices that are set now."""
    rebuilt = build_trunk("none", network, image_size)
    rebuilt.set_weights(trunk.get_weights())
    return rebuilt


def build_training_model(
    trunk: keras.Model, augment: Augment, phase: Phase, seed: int, lung_fields: bool = False
) -> keras.Model:
    """Put augmentation before the trunk: uint8 (N, 224, 224, C) to logits; augmentation acts in training only.

    Parameters
    ----------
    trunk
        As `build_trunk` makes it, for films of the side that the phase trains at.
    lung_fields
        Whether the lung fields come as a second channel, 255 inside, which the trunk's `lungs` learn.
    """
    image = keras.Input((NETWORK_SIZE, NETWORK_SIZE, 1 + lung_fields), dtype="uint8", name="image")
    x = augmented(image, augment, phase.min_crop_area, seed)
    outputs = trunk(x[..., :1])
    logit = outputs["logit"]
    if lung_fields:
        logit = LungFieldLoss(name="lung_field_loss", dtype="float32")([logit, outputs["lungs"], x[..., 1:]])
    return keras.Model(image, logit, name="training")


def build_serving_model(trunk: keras.Model, calibration: Calibration, detector: OodDetector) -> keras.Model:
    """Put calibration and out-of-distribution detector behind the trunk.

    The model takes uint8 (N, 224, 224, 1) and gives `logit`, `probability` and `domain_distance`, float32 (N, 1) each.
    """
    image = keras.Input(FILM_SHAPE, dtype="uint8", name="image")
    outputs = trunk(keras.layers.Rescaling(1.0, name="to_float")(image))
    calibrate = keras.layers.Rescaling(calibration.slope, calibration.offset, name="calibration")
    answers = {
        "logit": outputs["logit"],
        "probability": keras.layers.Activation("sigmoid", name="probability")(calibrate(outputs["logit"])),
        "domain_distance": add_ood_distance(outputs["ood_features"], detector),
    }
    return keras.Model(image, answers, name="pneumo")


def set_trainable(trunk: keras.Model, phase: Phase, pretrained: bool) -> None:
    """Choose the backbone's layers that learn; the head always does.

    A random backbone learns as a whole in every phase, since there is nothing in it to keep.
    """
    backbone = find_backbone(trunk)
    backbone.trainable = True
    layers = backbone.layers
    count = {"head": 0, "all": len(layers)}[phase.train] if isinstance(phase.train, str) else phase.train
    for height, layer in enumerate(reversed(layers)):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        kept = normalises and phase.batch_normalisation == "frozen"
        layer.trainable = not pretrained or (height < count and not kept)
        if normalises:
            layer.momentum = BATCH_NORMALISATION_MOMENTUM


def find_backbone(trunk: keras.Model) -> keras.Model:
    """Find the one layer of a trunk that is a network of its own."""
    return next(layer for layer in trunk.layers if isinstance(layer, keras.Model))


def _scaled(films: keras.KerasTensor, network: Network) -> keras.KerasTensor:
    """Bring greys to the scale that the backbone's weights expect."""
    if network.scaling in ("film", "equalised"):
        x = _standardised(films) if network.scaling == "film" else equalised(films)
        return keras.layers.Rescaling(IMAGENET_DEVIATION[network.backbone], name="scaling")(x)
    return keras.layers.Rescaling(*SCALINGS[network.backbone, network.scaling], name="scaling")(films)


def _standardised(films: keras.KerasTensor) -> keras.KerasTensor:
    """Scale each film to mean 0 and deviation 1; a blank one to 0.

    Means are taken along rows first: engines sum the 50,000 pixels of a film in different orders, and in float32 the
    sums of all of them at once, as in Keras' GroupNormalization, differ by enough to move a probability by 1e-4.
    """

    def mean(x: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.mean(x, axis=2, keepdims=True), axis=1, keepdims=True)

    centred = films - mean(films)
    return centred / ops.sqrt(mean(ops.square(centred)) + 1.0)


def _head(x: keras.KerasTensor, network: Network) -> keras.KerasTensor:
    """Ask the head at each place: maps (N, S, S, C) to logits (N, S, S, 1)."""
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
    # softmax(a, b) is sigmoid(b - a), and its cross-entropy that of the difference: one logit serves both.
    classes = _dense(x, 2, "head", network)
    return classes[..., 1:] - classes[..., :1]


def _dense(x: keras.KerasTensor, units: int, name: str, network: Network, activation: str | None = None) -> Any:
    """A dense layer at each place, on rows of places: a plain matrix product in every engine."""
    *places, channels = x.shape[1:]
    regularizer = keras.regularizers.L2(network.l2) if network.l2 else None
    dense = keras.layers.Dense(units, activation=activation, kernel_regularizer=regularizer, name=name, dtype="float32")
    return ops.reshape(dense(ops.reshape(x, (-1, channels))), (-1, *places, units))


def heatmaps_of(trunk: keras.Model) -> Callable[[Film], Scores]:
    """Give what makes heatmaps of films, uint8 (B, 224, 224, 1) to float32 (B, S, S)."""
    alone = keras.Model(trunk.input, trunk.output["heatmap"])
    return lambda films: np.asarray(alone(films.astype(np.float32), training=False))


def weights_name(weights: str) -> str:
    """Name weights for records: the word itself, or the file's name without its folder."""
    return weights if weights in ("imagenet", "none") else Path(weights).name
