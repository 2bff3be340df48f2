"""Random changes to training films, as layers: those that move a film, and those that change its tones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import keras
from keras import ops

from pneumo_train.augmentation.crops import RandomResizedCrop
from pneumo_train.augmentation.shading import RandomShading
from pneumo_train.augmentation.spectra import RandomSpectrum
from pneumo_train.recipe import Augment

Builders = Sequence[tuple[bool, Callable[..., keras.layers.Layer]]]


def augmented(image: keras.KerasTensor, augment: Augment, min_crop_area: float, seed: int) -> keras.KerasTensor:
    """Change films at random, in training only.

    Parameters
    ----------
    image
        uint8 (N, 224, 224, C) in 0..255: films, and lung fields that move with them where C is 2.

    Returns
    -------
    KerasTensor
        float32 of that shape, in 0..255, under mixed precision too; only the first channel has other tones.
    """
    x = keras.layers.Rescaling(1 / 255, dtype="float32")(image)
    moving, toning = _moving(augment, min_crop_area), _toning(augment)
    for layer in _build(moving, seed):
        x = layer(x)
    films, fields = x[..., :1], x[..., 1:]
    for layer in _build(toning, seed + len(moving)):
        films = layer(films)
    x = films if image.shape[-1] == 1 else ops.concatenate([films, fields], axis=-1)
    return ops.clip(keras.layers.Rescaling(255.0, dtype="float32")(x), 0.0, 255.0)


def _build(builders: Builders, seed: int) -> list[keras.layers.Layer]:
    return [build(seed=seed + number, dtype="float32") for number, (wanted, build) in enumerate(builders) if wanted]


def _moving(augment: Augment, min_crop_area: float) -> Builders:
    black = {"fill_mode": "constant", "fill_value": 0.0}
    fill = black if augment.fill == "black" else {"fill_mode": "nearest"}
    turn = augment.rotation_degrees / 360
    zoom = (-augment.zoom_in, augment.zoom_out)
    shear = (0.0, augment.shear)  # to either side; given one number, Keras saves a layer that it refuses to load
    return [
        (augment.flip, partial(keras.layers.RandomFlip, "horizontal")),
        (augment.shift > 0, partial(keras.layers.RandomTranslation, augment.shift, augment.shift, **fill)),
        (augment.rotation_degrees > 0, partial(keras.layers.RandomRotation, (-turn, turn), **fill)),
        (augment.shear > 0, partial(keras.layers.RandomShear, shear, shear, **fill)),
        (zoom != (0, 0), partial(keras.layers.RandomZoom, zoom, zoom, **fill)),
        (augment.frame > 0, partial(keras.layers.RandomZoom, *[(-augment.frame, augment.frame)] * 2, **black)),
        (min_crop_area < 1, partial(RandomResizedCrop, min_crop_area)),
    ]


def _toning(augment: Augment) -> Builders:
    grey = {"value_range": (0, 1)}
    spectrum = partial(RandomSpectrum, augment.spectrum, augment.blur, augment.sharpen)
    return [
        (augment.spectrum > 0, spectrum),
        (augment.shading > 0, partial(RandomShading, augment.shading)),
        (augment.noise > 0, partial(keras.layers.GaussianNoise, augment.noise)),
        (augment.brightness > 0, partial(keras.layers.RandomBrightness, augment.brightness, **grey)),
        (augment.contrast > 0, partial(keras.layers.RandomContrast, augment.contrast, **grey)),
    ]
