"""Random changes to training films, as Keras layers: changes of geometry and changes of tone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import keras
from keras import ops

from pneumo_train.augmentation.crops import RandomResizedCrop
from pneumo_train.augmentation.noise import RandomNoise
from pneumo_train.augmentation.shading import RandomShading
from pneumo_train.augmentation.spectra import RandomSpectrum
from pneumo_train.recipe import Augment

Builders = Sequence[tuple[bool, Callable[..., keras.layers.Layer]]]


def augmented(image: keras.KerasTensor, augment: Augment, min_crop_area: float, seed: int) -> keras.KerasTensor:
    """Add layers that change films at random, in training only.

    Parameters
    ----------
    image
        uint8 (N, 224, 224, C) in 0..255: films, and their lung fields if C is 2.
    augment, min_crop_area
        See `recipe.Augment` and `recipe.Phase`.
    seed
        Each layer gets its own seed, counted from this one.

    Returns
    -------
    KerasTensor
        float32 of the same shape, in 0..255, also under mixed precision. Geometry changes in all channels, tone only in
        the first one.
    """
    x = keras.layers.Rescaling(1 / 255, dtype="float32")(image)
    geometry, tone = _geometry(augment, min_crop_area), _tone(augment)
    for layer in _build(geometry, seed):
        x = layer(x)
    films, fields = x[..., :1], x[..., 1:]
    for layer in _build(tone, seed + len(geometry)):
        films = layer(films)
    x = films if image.shape[-1] == 1 else ops.concatenate([films, fields], axis=-1)
    return ops.clip(keras.layers.Rescaling(255.0, dtype="float32")(x), 0.0, 255.0)


def _build(builders: Builders, seed: int) -> list[keras.layers.Layer]:
    return [build(seed=seed + number, dtype="float32") for number, (enabled, build) in enumerate(builders) if enabled]


def _geometry(augment: Augment, min_crop_area: float) -> Builders:
    black = {"fill_mode": "constant", "fill_value": 0.0}
    fill = black if augment.fill == "black" else {"fill_mode": "nearest"}
    rotation = augment.rotation_degrees / 360
    zoom = (-augment.zoom_in, augment.zoom_out)
    shear = (0.0, augment.shear)  # in both directions; given a single number, Keras saves a layer that it cannot load
    return [
        (augment.flip, partial(keras.layers.RandomFlip, "horizontal")),
        (augment.shift > 0, partial(keras.layers.RandomTranslation, augment.shift, augment.shift, **fill)),
        (augment.rotation_degrees > 0, partial(keras.layers.RandomRotation, (-rotation, rotation), **fill)),
        (augment.shear > 0, partial(keras.layers.RandomShear, shear, shear, **fill)),
        (zoom != (0, 0), partial(keras.layers.RandomZoom, zoom, zoom, **fill)),
        (augment.frame > 0, partial(keras.layers.RandomZoom, *[(-augment.frame, augment.frame)] * 2, **black)),
        (min_crop_area < 1, partial(RandomResizedCrop, min_crop_area)),
    ]


def _tone(augment: Augment) -> Builders:
    value_range = {"value_range": (0, 1)}
    spectrum = partial(RandomSpectrum, augment.spectrum, augment.blur, augment.sharpen)
    return [
        (augment.spectrum > 0, spectrum),
        (augment.shading > 0, partial(RandomShading, augment.shading)),
        (augment.noise > 0, partial(RandomNoise, augment.noise)),
        (augment.brightness > 0, partial(keras.layers.RandomBrightness, augment.brightness, **value_range)),
        (augment.contrast > 0, partial(keras.layers.RandomContrast, augment.contrast, **value_range)),
    ]
