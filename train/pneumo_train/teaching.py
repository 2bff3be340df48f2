"""Teaching: beside its films' labels, a network learns what several others say of them.

Several networks err on different films, and what they say on average is better than what each says. One network can
learn it from them (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015), if it sees the very views that
they see, many of them (Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", CVPR 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from pneumo_train.batches import TrainingFilms, predict
from pneumo_train.calibrate import fit_calibration
from pneumo_train.network import FILM_SHAPE, augmented, shrunk
from pneumo_train.recipe import Augment, Phase, Teachers

PREDICTED_AT_ONCE = 32


@keras.saving.register_keras_serializable("pneumo_train")
class Agreement(keras.layers.Layer):  # type: ignore[misc]
    """Adds to the loss how little a network agrees with its teacher, and passes on what it says of other films.

    Called with logits (N + M, 1), of which the last M are of the views, and with the views, float32 (M, 224, 224, 1) in
    0..255; gives the first N logits. The loss is the mean divergence of Kullback and Leibler between the
    probabilities of both, made of logits that are divided by the temperature, times its square (Hinton et al., 2015,
    section 2); it is 0 where both say the same.

    Parameters
    ----------
    teacher
        From views to logits (M, 1). It learns nothing.
    """

    def __init__(self, teacher: keras.Model, temperature: float = 1.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.teacher = teacher
        self.teacher.trainable = False
        self.temperature = temperature

    def call(self, logits: Any, views: Any, training: bool = False) -> Any:
        labelled = ops.shape(logits)[0] - ops.shape(views)[0]
        if training:
            # In inference mode: its dropout and batch normalisation are to leave what it says alone.
            taught = self.teacher(views, training=False) / self.temperature
            said = logits[labelled:] / self.temperature
            self.add_loss(self.temperature**2 * ops.mean(_divergence(ops.sigmoid(taught), taught, said)))
        return logits[:labelled]

    def compute_output_shape(self, logits_shape: tuple[int | None, ...], views_shape: Any) -> tuple[int | None, ...]:
        return (None, *logits_shape[1:])

    def get_config(self) -> dict[str, Any]:
        teacher = keras.saving.serialize_keras_object(self.teacher)
        return {**super().get_config(), "teacher": teacher, "temperature": self.temperature}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Agreement:
        return cls(**{**config, "teacher": keras.saving.deserialize_keras_object(config["teacher"])})


def _divergence(probability: Any, its_logit: Any, other_logit: Any) -> Any:
    def crossed_with(logit: Any) -> Any:
        return ops.binary_crossentropy(probability, logit, from_logits=True)

    return crossed_with(other_logit) - crossed_with(its_logit)


def build_taught_model(
    trunk: keras.Model, agreement: Agreement, augment: Augment, phase: Phase, teachers: Teachers, seed: int
) -> keras.Model:
    """Put augmentation before the trunk, and agreement behind it: uint8 (N, 224, 224, 1) to logits of the crops.

    Each film is seen twice in training: as a crop, of which the label is learned, and as a view, of which it is learned
    what the teacher says. Both go through the trunk as one batch, so that its batch normalisation sees films as they
    are and as they might be.
    """
    image = keras.Input(FILM_SHAPE, dtype="uint8", name="image")
    crops = augmented(image, augment, phase.least_area, seed)
    views = augmented(image, teachers.augment, 1.0, seed + 1)
    if teachers.mixup:
        views = keras.layers.MixUp(teachers.mixup, seed=seed)(views)
    logits = trunk(shrunk(ops.concatenate([crops, views]), phase.side))["logit"]
    return keras.Model(image, agreement(logits, views), name="training")


def build_teacher(
    trunks: Sequence[keras.Model], films: TrainingFilms, classes_count_the_same: bool, mirrored: bool = False
) -> keras.Model:
    """Average several networks: float32 (N, 224, 224, 1) in 0..255 to logits (N, 1), calibrated on validation films.

    Parameters
    ----------
    classes_count_the_same
        Whether the logits are to be those of films of which half show pneumonia, as class weights have it.
    mirrored
        Whether each network's logit is the mean of that of a film and that of its mirror image.
    """
    pixels = keras.Input(FILM_SHAPE, name="views")
    each = [_calibrated(_asked(trunk, mirrored, f"of_{n}"), films) for n, trunk in enumerate(trunks)]
    together = [model(pixels) for model in each]
    average = keras.layers.Average()(together) if len(together) > 1 else together[0]
    joint = _calibrated(keras.Model(pixels, average, name="average"), films)
    targets = films.targets[films.rows["train"]]
    shift = -math.log(targets.sum() / (len(targets) - targets.sum())) if classes_count_the_same else 0.0
    return keras.Model(pixels, keras.layers.Rescaling(1.0, shift, dtype="float32")(joint(pixels)), name="teacher")


def _asked(trunk: keras.Model, mirrored: bool, name: str) -> keras.Model:
    pixels = keras.Input(FILM_SHAPE, name=f"seen_{name}")
    logit = trunk(pixels)["logit"]
    if mirrored:
        logit = keras.layers.Average(dtype="float32")([logit, trunk(ops.flip(pixels, axis=2))["logit"]])
    return keras.Model(pixels, logit, name=name)


def _calibrated(model: keras.Model, films: TrainingFilms) -> keras.Model:
    rows = films.rows["validation"]
    calibration = fit_calibration(predict(model, films.pixels[rows], PREDICTED_AT_ONCE)[:, 0], films.targets[rows])
    scale = keras.layers.Rescaling(calibration.slope, calibration.offset, dtype="float32")
    return keras.Model(model.input, scale(model.output), name=f"{model.name}_calibrated")
