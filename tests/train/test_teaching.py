"""A network that learns from others what they make of a film."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from pneumo_train.batches import TrainingFilms
from pneumo_train.recipe import Augment, Phase, Teachers
from pneumo_train.teaching import Agreement, build_taught_model, build_teacher

PHASE = Phase(name="p", train="all", batch_normalisation="learns", side=64, epochs=1, learning_rate=1e-3)
TEACHERS = Teachers(recipes={"mobilenet": ()}, mixup=0.5, augment=Augment(flip=True))


def dark_or_bright(count: int) -> TrainingFilms:
    """Films of one grey each; the brighter ones show pneumonia, but for one in six."""
    greys = np.random.default_rng(1).integers(60, 190, count)
    pixels = np.broadcast_to(greys.astype(np.uint8)[:, None, None, None], (count, 224, 224, 1))
    targets = ((greys > 110) ^ (np.arange(count) % 6 == 0)).astype(np.float32)
    return TrainingFilms(pixels, targets, {"train": np.arange(count // 2), "validation": np.arange(count // 2, count)})


def brightness(weight: float) -> keras.Model:
    """Stands for a trunk: its logit rises with the film's mean grey."""
    pixels = keras.Input((None, None, 1))
    mean = keras.layers.GlobalAveragePooling2D()(pixels)
    return keras.Model(pixels, {"logit": keras.layers.Rescaling(weight, -110 * weight)(mean)})


def ignorant() -> keras.Model:
    """A trunk that has yet to learn what brightness means."""
    pixels = keras.Input((None, None, 1))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 40, -3.0)(pixels))
    return keras.Model(pixels, {"logit": keras.layers.Dense(1, kernel_initializer="zeros")(mean)}, name="trunk")


@pytest.fixture(scope="module")
def teacher() -> keras.Model:
    return build_teacher([brightness(0.01), brightness(3.0)], dark_or_bright(60), classes_count_the_same=False)


def test_teachers_are_averaged_on_one_scale(teacher: keras.Model) -> None:
    films = dark_or_bright(60)
    rows = films.rows["validation"]
    alone = build_teacher([brightness(0.2)], films, classes_count_the_same=False)
    said = teacher.predict(films.pixels[rows].astype(np.float32), verbose=0)
    np.testing.assert_allclose(said, alone.predict(films.pixels[rows].astype(np.float32), verbose=0), atol=0.05)
    believed = 1 / (1 + np.exp(-said))
    assert believed.mean() == pytest.approx(films.targets[rows].mean(), abs=0.02)  # calibrated there


def test_classes_that_count_the_same_move_all_logits_by_their_odds(teacher: keras.Model) -> None:
    films = dark_or_bright(60)
    even = build_teacher([brightness(0.01), brightness(3.0)], films, classes_count_the_same=True)
    share = films.targets[films.rows["train"]].mean()
    shown = films.pixels[:4].astype(np.float32)
    np.testing.assert_allclose(teacher(shown) - even(shown), np.full((4, 1), np.log(share / (1 - share))), atol=1e-4)


def test_a_mirrored_teacher_says_the_same_of_a_film_and_its_mirror_image() -> None:
    pixels = keras.Input((None, None, 1))
    left_half = keras.layers.Cropping2D(((0, 0), (0, 112)))(pixels)
    trunk = keras.Model(pixels, {"logit": keras.layers.GlobalAveragePooling2D()(left_half)})
    films = dark_or_bright(60)
    uneven = films.pixels[:4].astype(np.float32)
    uneven[:, :, :112] *= 0.5
    once, both = (build_teacher([trunk], films, True, mirrored) for mirrored in (False, True))
    assert (np.abs(once(uneven) - once(uneven[:, :, ::-1])) > 0.5).all()
    np.testing.assert_allclose(both(uneven), both(uneven[:, :, ::-1]), atol=1e-4)
    halfway = (np.asarray(once(uneven)) + np.asarray(once(uneven[:, :, ::-1]))) / 2
    np.testing.assert_allclose(both(uneven), halfway, atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_loss_of_agreement_is_the_divergence_from_the_teacher(teacher: keras.Model, temperature: float) -> None:
    views = dark_or_bright(4).pixels.astype(np.float32)
    logits = np.array([[5.0], [6.0], [0.3], [-1.0], [2.0], [0.0]], np.float32)
    agreement = Agreement(teacher, temperature)
    np.testing.assert_array_equal(agreement(logits, views, training=True), logits[:2])
    taught = 1 / (1 + np.exp(-np.asarray(teacher(views)) / temperature))
    said = 1 / (1 + np.exp(-logits[2:] / temperature))
    divergence = taught * np.log(taught / said) + (1 - taught) * np.log((1 - taught) / (1 - said))
    assert float(agreement.losses[0]) == pytest.approx(temperature**2 * divergence.mean(), rel=1e-3)
    assert agreement.trainable_variables == []


def test_a_network_comes_to_say_what_its_teacher_says(teacher: keras.Model, tmp_path: Path) -> None:
    films = dark_or_bright(64)
    trunk = ignorant()
    model = build_taught_model(trunk, Agreement(teacher), Augment(brightness=0.1), PHASE, TEACHERS, seed=3)
    model.compile(keras.optimizers.Adam(0.02), keras.losses.BinaryCrossentropy(from_logits=True))
    before = [weight.copy() for weight in teacher.get_weights()]
    # Labels that say nothing: what is learned is the teacher's.
    model.fit(films.pixels, np.full((64, 1), 0.5), batch_size=16, epochs=15, verbose=0)
    said, taught = model.predict(films.pixels, verbose=0), teacher.predict(films.pixels.astype(np.float32), verbose=0)
    assert np.corrcoef(said[:, 0], taught[:, 0])[0, 1] > 0.95
    assert np.ptp(said) > 0.5  # nothing is learned from labels, and ptp is 0 then
    for weight, kept in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)

    model.save(tmp_path / "taught.keras")
    loaded = keras.models.load_model(tmp_path / "taught.keras")
    np.testing.assert_allclose(loaded.predict(films.pixels, verbose=0), said, atol=1e-5)
    # Where nobody trains, it says what its trunk says of the film itself.
    shrink = keras.layers.Resizing(PHASE.side, PHASE.side, antialias=True)
    alone = loaded.get_layer("trunk")(shrink(films.pixels.astype(np.float32)))["logit"]
    np.testing.assert_allclose(said, alone, atol=1e-4)
