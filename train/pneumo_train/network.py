"""The network: a trunk on grey films, the model that is trained and the model that is served.

Trunk and served model are made of Keras' own layers, so that a saved file loads anywhere without this package. He et
al., "Deep Residual Learning for Image Recognition", CVPR 2016; Sandler et al., "MobileNetV2", CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
from keras import ops

from pneumo_infer.preprocess import NETWORK_SIZE
from pneumo_train.calibrate import Calibration
from pneumo_train.crops import RandomResizedCrop
from pneumo_train.domain import Domain, add_domain
from pneumo_train.errors import RecipeError
from pneumo_train.recipe import Augment, Network, Phase

# What keras.applications.resnet50.preprocess_input subtracts, in its BGR order.
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
# Scale and offset from 0..255 to what a backbone's ImageNet weights expect, or to 0..1.
SCALINGS: dict[tuple[str, str], tuple[float, float | list[float]]] = {
    ("resnet50", "imagenet"): (1.0, [-mean for mean in IMAGENET_MEAN_BGR]),
    ("mobilenetv2", "imagenet"): (1 / 127.5, -1.0),
    ("resnet50", "unit"): (1 / 255, 0.0),
    ("mobilenetv2", "unit"): (1 / 255, 0.0),
    # The standard deviation of ImageNet's greys, on the scale that the backbone's weights expect.
    ("resnet50", "film"): (58.0, 0.0),
    ("mobilenetv2", "film"): (0.45, 0.0),
}
# Keras' own 0.99 lags behind the weights for most of an epoch of a few hundred batches.
BATCH_NORMALISATION_MOMENTUM = 0.9
FILM_SHAPE = (NETWORK_SIZE, NETWORK_SIZE, 1)
# The last layers that still see films at an eighth and at a sixteenth of their side.
DOMAIN_LAYERS = {
    "resnet50": ("conv3_block4_out", "conv4_block6_out"),
    "mobilenetv2": ("block_6_expand_relu", "block_13_expand_relu"),
}


def build_trunk(weights: str, network: Network, side: int = NETWORK_SIZE) -> keras.Model:
    """Build backbone and head: float32 (N, H, W, 1) in 0..255 to `logit` and `domain_features`.

    `logit` is that of PNEUMONIA, float32 (N, 1); `domain_features`, float32 (N, C), tell films from other pictures.

    Parameters
    ----------
    weights
        `imagenet` (Keras downloads them), `none` (random), or the path of a no-top weights file of the backbone.
    side
        To how many pixels the trunk shrinks films; at `NETWORK_SIZE` it takes them as they come.

    Raises
    ------
    RecipeError
        The weights cannot be loaded.
    """
    pixels = keras.Input((None, None, 1), name="pixels")
    x = pixels
    if (
        side < NETWORK_SIZE
    ):  # no layer, since Keras' own turns everything behind it to training where nobody says not to
        x = ops.image.resize(x, (side, side), antialias=True)
    if network.hidden_edge:
        x = keras.layers.Cropping2D(network.hidden_edge, name="cut_edge", dtype="float32")(x)
    if network.scaling == "film":
        x = _standardised(x)
    x = keras.layers.Concatenate(name="grey_to_colour")([x, x, x])
    x = keras.layers.Rescaling(*SCALINGS[network.backbone, network.scaling], name="scaling")(x)
    if network.hidden_edge:  # refilled with what convolutions pad with, so that maps keep their size
        x = keras.layers.ZeroPadding2D(network.hidden_edge, name="padded_edge")(x)
    last, *middle = _backbone(network.backbone, weights)(x)
    features = keras.layers.GlobalAveragePooling2D(name="features")(last)
    pooled = [
        keras.layers.GlobalAveragePooling2D(name=f"domain_features_{number}")(maps)
        for number, maps in enumerate(middle, start=1)
    ]
    domain_features = keras.layers.Concatenate(name="domain_features")(pooled)
    return keras.Model(pixels, {"logit": _head(features, network), "domain_features": domain_features}, name="trunk")


def rebuild_trunk(trunk: keras.Model, network: Network, side: int = NETWORK_SIZE) -> keras.Model:
    """Build a trunk anew with another's weights, under the precision and on the devices that are set now."""
    rebuilt = build_trunk("none", network, side)
    rebuilt.set_weights(trunk.get_weights())
    return rebuilt


def build_training_model(trunk: keras.Model, augment: Augment, phase: Phase, seed: int) -> keras.Model:
    """Put augmentation before the trunk: uint8 (N, 224, 224, 1) to logits; augmentation acts in training only.

    Parameters
    ----------
    phase
        Says how much of a film a crop shows, and to how many pixels films are shrunk behind the augmentation.
    """
    image = keras.Input(FILM_SHAPE, dtype="uint8", name="image")
    x = shrunk(augmented(image, augment, phase.least_area, seed), phase.side)
    return keras.Model(image, trunk(x)["logit"], name="training")


def augmented(image: keras.KerasTensor, augment: Augment, least_area: float, seed: int) -> keras.KerasTensor:
    """Change films at random, in training only: uint8 (N, 224, 224, 1) to float32 of that shape, in 0..255."""
    x = keras.layers.Rescaling(1 / 255)(image)
    for layer in _augmentation(augment, least_area, seed):
        x = layer(x)
    return keras.layers.Rescaling(255.0)(x)


def shrunk(films: keras.KerasTensor, side: int) -> keras.KerasTensor:
    """Bring films to a side of so many pixels, if they are larger."""
    return films if side == NETWORK_SIZE else keras.layers.Resizing(side, side, antialias=True, name="shrink")(films)


def build_serving_model(trunk: keras.Model, calibration: Calibration, domain: Domain) -> keras.Model:
    """Put calibration and domain behind the trunk.

    The model takes uint8 (N, 224, 224, 1) and gives `logit`, `probability` and `domain_distance`, float32 (N, 1) each.
    """
    image = keras.Input(FILM_SHAPE, dtype="uint8", name="image")
    outputs = trunk(keras.layers.Rescaling(1.0, name="to_float")(image))
    calibrate = keras.layers.Rescaling(calibration.slope, calibration.offset, name="calibration")
    answers = {
        "logit": outputs["logit"],
        "probability": keras.layers.Activation("sigmoid", name="probability")(calibrate(outputs["logit"])),
        "domain_distance": add_domain(outputs["domain_features"], domain),
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


def _standardised(films: keras.KerasTensor) -> keras.KerasTensor:
    """Scale each film to mean 0 and deviation 1; a blank one to 0.

    Means are taken along rows first: engines sum the 50,000 pixels of a film in different orders, and in float32 the
    sums of all of them at once, as in Keras' GroupNormalization, differ by enough to move a probability by 1e-4.
    """

    def mean(x: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.mean(x, axis=2, keepdims=True), axis=1, keepdims=True)

    centred = films - mean(films)
    return centred / ops.sqrt(mean(ops.square(centred)) + 1.0)


def _backbone(name: str, weights: str) -> keras.Model:
    build = {"resnet50": keras.applications.ResNet50, "mobilenetv2": keras.applications.MobileNetV2}[name]
    try:
        built = build(include_top=False, weights=None if weights == "none" else weights, input_shape=(None, None, 3))
    except Exception as error:  # Keras raises ValueError, OSError, h5py and download errors here
        remedy = f"give imagenet, none, or the path of a no-top {name} weights file"
        if weights == "imagenet":
            remedy = "check the connection, or give --weights the path of a file that you have"
        raise RecipeError(f"weights {weights}", f"cannot be loaded ({str(error).splitlines()[0]})", remedy) from error
    middle = [built.get_layer(layer).output for layer in DOMAIN_LAYERS[name]]
    return keras.Model(built.input, [built.output, *middle], name=name)


def _head(x: keras.KerasTensor, network: Network) -> keras.KerasTensor:
    def dense(units: int, name: str, activation: str | None = None) -> keras.layers.Layer:
        regularizer = keras.regularizers.L2(network.l2) if network.l2 else None
        return keras.layers.Dense(
            units, activation=activation, kernel_regularizer=regularizer, name=name, dtype="float32"
        )

    if network.head_batch_normalisation:
        x = keras.layers.BatchNormalization(momentum=BATCH_NORMALISATION_MOMENTUM, name="head_normalisation")(x)
    if network.dropout:
        x = keras.layers.Dropout(network.dropout, name="dropout")(x)
    if network.hidden_units:
        x = dense(network.hidden_units, "hidden", "relu")(x)
    if network.hidden_dropout:
        x = keras.layers.Dropout(network.hidden_dropout, name="hidden_dropout")(x)
    if network.classes == "sigmoid":
        return dense(1, "head")(x)
    # softmax(a, b) is sigmoid(b - a), and its cross-entropy that of the difference: one logit serves both.
    classes = dense(2, "head")(x)
    return classes[:, 1:] - classes[:, :1]


def _augmentation(augment: Augment, least_area: float, seed: int) -> list[keras.layers.Layer]:
    black = {"fill_mode": "constant", "fill_value": 0.0}
    fill = black if augment.fill == "black" else {"fill_mode": "nearest"}
    grey = {"value_range": (0, 1)}
    turn = augment.rotation_degrees / 360
    zoom = (-augment.zoom_in, augment.zoom_out)
    shear = (0.0, augment.shear)  # to either side; given one number, Keras saves a layer that it refuses to load
    given: list[tuple[bool, Callable[..., keras.layers.Layer]]] = [
        (augment.flip, partial(keras.layers.RandomFlip, "horizontal")),
        (augment.shift > 0, partial(keras.layers.RandomTranslation, augment.shift, augment.shift, **fill)),
        (augment.rotation_degrees > 0, partial(keras.layers.RandomRotation, (-turn, turn), **fill)),
        (augment.shear > 0, partial(keras.layers.RandomShear, shear, shear, **fill)),
        (zoom != (0, 0), partial(keras.layers.RandomZoom, zoom, zoom, **fill)),
        (augment.frame > 0, partial(keras.layers.RandomZoom, *[(-augment.frame, augment.frame)] * 2, **black)),
        (least_area < 1, partial(RandomResizedCrop, least_area)),
        (augment.noise > 0, partial(keras.layers.GaussianNoise, augment.noise)),
        (augment.brightness > 0, partial(keras.layers.RandomBrightness, augment.brightness, **grey)),
        (augment.contrast > 0, partial(keras.layers.RandomContrast, augment.contrast, **grey)),
    ]
    return [build(seed=seed + number) for number, (wanted, build) in enumerate(given) if wanted]


def weights_name(weights: str) -> str:
    """Name weights for records: the word itself, or the file's name without its folder."""
    return weights if weights in ("imagenet", "none") else Path(weights).name
