"""The network: a ResNet50 trunk on grey films, the model that is trained and the model that is served.

All three are made of Keras' own layers, so that a saved file loads anywhere without this package. He et al., "Deep
Residual Learning for Image Recognition", CVPR 2016.
"""

from __future__ import annotations

from pathlib import Path

import keras

from pneumo_infer.preprocess import NETWORK_SIZE
from pneumo_train.errors import RecipeError
from pneumo_train.recipe import Augment, Phase

# What keras.applications.resnet50.preprocess_input subtracts, in its BGR order.
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
# Keras' own 0.99 lags behind the weights for most of an epoch of a few hundred batches.
BATCH_NORMALISATION_MOMENTUM = 0.9
FILM_SHAPE = (NETWORK_SIZE, NETWORK_SIZE, 1)


def build_trunk(weights: str, dropout: float) -> keras.Model:
    """Build backbone and head: float32 (N, H, W, 1) in 0..255 to the logit of PNEUMONIA, float32 (N, 1).

    Parameters
    ----------
    weights
        `imagenet` (Keras downloads them), `none` (random), or the path of a no-top ResNet50 weights file.

    Raises
    ------
    RecipeError
        The weights cannot be loaded.
    """
    pixels = keras.Input((None, None, 1), name="pixels")
    colour = keras.layers.Concatenate(name="grey_to_bgr")([pixels, pixels, pixels])
    centred = keras.layers.Rescaling(1.0, [-mean for mean in IMAGENET_MEAN_BGR], name="imagenet_mean")(colour)
    features = keras.layers.GlobalAveragePooling2D(name="features")(_backbone(weights)(centred))
    kept = keras.layers.Dropout(dropout, name="dropout")(features)
    return keras.Model(pixels, keras.layers.Dense(1, name="head")(kept), name="trunk")


def build_training_model(trunk: keras.Model, augment: Augment, side: int, seed: int) -> keras.Model:
    """Put augmentation before the trunk: uint8 (N, 224, 224, 1) to logits; augmentation acts in training only.

    Parameters
    ----------
    side
        Pixels that the films are shrunk to behind the augmentation.
    """
    image = keras.Input(FILM_SHAPE, dtype="uint8", name="image")
    x = keras.layers.Rescaling(1.0, name="to_float")(image)
    for layer in _augmentation(augment, seed):
        x = layer(x)
    if side < NETWORK_SIZE:
        x = keras.layers.Resizing(side, side, antialias=True, name="shrink")(x)
    return keras.Model(image, trunk(x), name="training")


def build_serving_model(trunk: keras.Model, slope: float, offset: float) -> keras.Model:
    """Put calibration behind the trunk: uint8 (N, 224, 224, 1) to `logit` and `probability`, float32 (N, 1) each.

    `probability` is sigmoid(slope * logit + offset).
    """
    image = keras.Input(FILM_SHAPE, dtype="uint8", name="image")
    logit = trunk(keras.layers.Rescaling(1.0, name="to_float")(image))
    calibrated = keras.layers.Rescaling(slope, offset, name="calibration")(logit)
    probability = keras.layers.Activation("sigmoid", name="probability")(calibrated)
    return keras.Model(image, {"logit": logit, "probability": probability}, name="pneumo")


def set_trainable(trunk: keras.Model, phase: Phase, pretrained: bool) -> None:
    """Choose the backbone's layers that learn; the head always does.

    A random backbone learns as a whole in every phase, since there is nothing in it to keep.
    """
    layers = trunk.get_layer("resnet50").layers
    trunk.get_layer("resnet50").trainable = True
    count = {"head": 0, "all": len(layers)}[phase.train] if isinstance(phase.train, str) else phase.train
    for height, layer in enumerate(reversed(layers)):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        kept = normalises and phase.batch_normalisation == "frozen"
        layer.trainable = not pretrained or (height < count and not kept)
        if normalises:
            layer.momentum = BATCH_NORMALISATION_MOMENTUM


def _backbone(weights: str) -> keras.Model:
    try:
        return keras.applications.ResNet50(
            include_top=False,
            weights=None if weights == "none" else weights,
            input_shape=(None, None, 3),
        )
    except Exception as error:  # Keras raises ValueError, OSError, h5py and download errors here
        remedy = "give imagenet, none, or the path of a no-top ResNet50 weights file"
        if weights == "imagenet":
            remedy = "check the connection, or give --weights the path of a file that you have"
        raise RecipeError(f"weights {weights}", f"cannot be loaded ({str(error).splitlines()[0]})", remedy) from error


def _augmentation(augment: Augment, seed: int) -> list[keras.layers.Layer]:
    edge = {"fill_mode": "constant", "fill_value": 0.0}
    turn = augment.rotation_degrees / 360
    layers: list[keras.layers.Layer] = []
    if augment.flip:
        layers.append(keras.layers.RandomFlip("horizontal", seed=seed))
    if augment.shift:
        layers.append(keras.layers.RandomTranslation(augment.shift, augment.shift, seed=seed + 1, **edge))
    if augment.rotation_degrees:
        layers.append(keras.layers.RandomRotation((-turn, turn), seed=seed + 2, **edge))
    if augment.zoom_in or augment.zoom_out:
        zoom = (-augment.zoom_in, augment.zoom_out)
        layers.append(keras.layers.RandomZoom(zoom, zoom, seed=seed + 3, **edge))
    if augment.brightness:
        layers.append(keras.layers.RandomBrightness(augment.brightness, value_range=(0, 255), seed=seed + 4))
    if augment.contrast:
        layers.append(keras.layers.RandomContrast(augment.contrast, value_range=(0, 255), seed=seed + 5))
    return layers


def weights_name(weights: str) -> str:
    """Name weights for records: the word itself, or the file's name without its folder."""
    return weights if weights in ("imagenet", "none") else Path(weights).name
