"""The network's shape, and which of its layers learn."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from pneumo_train.calibrate import Calibration
from pneumo_train.domain import Domain
from pneumo_train.errors import RecipeError
from pneumo_train.network import (
    build_serving_model,
    build_training_model,
    build_trunk,
    find_backbone,
    rebuild_trunk,
    set_trainable,
)
from pneumo_train.recipe import Augment, Network, Phase, builtin_recipes

PLAIN = Network(backbone="resnet50", scaling="imagenet", dropout=0.3)


def phase_of(**changed: object) -> Phase:
    values = {"name": "p", "train": "all", "batch_normalisation": "learns", "epochs": 1, "learning_rate": 1e-3}
    return Phase.model_validate({**values, **changed})


@pytest.fixture(scope="module")
def trunk() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_trunk("none", PLAIN)


def test_the_trunk_prepares_films_as_the_weights_expect(trunk: keras.Model) -> None:
    films = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 1)).astype(np.float32)
    colour = keras.applications.resnet50.preprocess_input(np.repeat(films, 3, axis=3))
    pooled = ("features", "domain_features_1", "domain_features_2")
    for maps, name in zip(trunk.get_layer("resnet50")(colour), pooled, strict=True):
        features = keras.Model(trunk.input, trunk.get_layer(name).output)(films)
        np.testing.assert_allclose(features, keras.ops.mean(maps, axis=(1, 2)), rtol=1e-5, atol=1e-5)


def test_a_trunk_that_shrinks_films_sees_what_it_learned_on(tmp_path: Path) -> None:
    films = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 1)).astype(np.float32)
    whole = build_trunk("none", PLAIN)
    shrinking = rebuild_trunk(whole, PLAIN, side=96)
    training = build_training_model(whole, Augment(), phase_of(side=96), seed=0)
    logits = training.predict(films.astype(np.uint8), verbose=0)
    np.testing.assert_allclose(shrinking(films)["logit"], logits, rtol=1e-4, atol=1e-4)
    saved = tmp_path / "shrinking.keras"
    shrinking.save(saved)
    np.testing.assert_array_equal(keras.models.load_model(saved)(films)["logit"], shrinking(films)["logit"])


def test_phases_choose_the_layers_that_learn(trunk: keras.Model) -> None:
    def learning(train: str | int, norm: str, pretrained: bool = True) -> list[str]:
        set_trainable(trunk, phase_of(train=train, batch_normalisation=norm), pretrained)
        return [layer.name for layer in trunk.get_layer("resnet50").layers if layer.trainable and layer.weights]

    assert learning("head", "learns") == []
    assert len(trunk.trainable_weights) == 2
    top = learning(40, "learns")
    assert top[-2:] == ["conv5_block3_3_conv", "conv5_block3_3_bn"]
    assert not any(name.startswith(("conv1", "conv2", "conv3")) for name in top)
    assert learning(40, "frozen") == [name for name in top if not name.endswith("_bn")]
    assert sum(name.endswith("_conv") for name in learning("all", "frozen")) == 53
    assert sum(name.endswith("_bn") for name in learning("head", "frozen", pretrained=False)) == 53


def test_the_served_model_calibrates_and_measures_distance(trunk: keras.Model) -> None:
    rng = np.random.default_rng(1)
    films = rng.integers(0, 256, (2, 224, 224, 1), dtype=np.uint8)
    shapes = {"whitening": (1536, 1536), "offset": (1536,), "direction": (1536, 1), "bias": (1,)}
    domain = Domain(**{name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})
    served = build_serving_model(trunk, Calibration(slope=0.5, offset=-0.25), domain)(films)
    expected = 1 / (1 + np.exp(-(0.5 * np.asarray(served["logit"]) - 0.25)))
    np.testing.assert_allclose(served["probability"], expected, rtol=1e-5)
    features = np.asarray(trunk(films.astype(np.float32))["domain_features"])
    np.testing.assert_allclose(served["domain_distance"][:, 0], domain.distances(features), rtol=1e-4)
    outlying = replace(domain, bias=np.array([1e6], np.float32))
    distances = build_serving_model(trunk, Calibration(1.0, 0.0), outlying)(films)["domain_distance"]
    np.testing.assert_allclose(distances, features @ domain.direction + 1e6, rtol=1e-4)


def test_augmentation_acts_in_training_only_and_stays_in_range(trunk: keras.Model) -> None:
    everything = Augment(
        flip=True,
        rotation_degrees=10,
        shear=0.1,
        shift=0.1,
        zoom_in=0.2,
        frame=0.2,
        brightness=0.2,
        contrast=0.3,
        noise=0.05,
    )
    training = build_training_model(trunk, everything, phase_of(least_area=0.3), seed=0)
    films = np.random.default_rng(2).integers(0, 256, (4, 224, 224, 1), dtype=np.uint8)
    np.testing.assert_allclose(
        training(films, training=False), trunk(films.astype(np.float32))["logit"], rtol=1e-4, atol=1e-4
    )
    before_trunk = keras.Model(training.input, training.layers[-2].output)
    changed = np.asarray(before_trunk(films, training=True))
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert np.abs(changed - films).mean() > 5


def augmented(trunk: keras.Model, augment: Augment, films: np.ndarray) -> np.ndarray:
    training = build_training_model(trunk, augment, phase_of(), seed=0)
    return np.asarray(keras.Model(training.input, training.layers[-2].output)(films, training=True))


def test_what_a_turn_leaves_empty(trunk: keras.Model) -> None:
    films = np.full((8, 224, 224, 1), 200, np.uint8)
    turned = {fill: augmented(trunk, Augment(rotation_degrees=10, fill=fill), films) for fill in ("black", "edge")}
    assert turned["black"].min() == 0
    assert turned["edge"].min() == pytest.approx(200, abs=0.1)


def test_a_frame_leaves_black_around_the_film_or_stretches_it(trunk: keras.Model) -> None:
    films = np.full((32, 224, 224, 1), 200, np.uint8)
    black = (augmented(trunk, Augment(frame=0.2), films) < 1).mean(axis=(1, 2, 3))
    assert (black == 0).any()
    assert 0.1 < black.max() < 1 - 1 / 1.2**2 + 0.01


def test_a_hidden_edge_is_not_seen() -> None:
    keras.utils.set_random_seed(0)
    trunk = build_trunk("none", PLAIN.model_copy(update={"hidden_edge": 6}))
    films = np.random.default_rng(4).uniform(0, 255, (2, 224, 224, 1)).astype(np.float32)
    at_the_edge, inside = films.copy(), films.copy()
    for edge in (np.s_[:, :6], np.s_[:, -6:], np.s_[:, :, :6], np.s_[:, :, -6:]):
        at_the_edge[edge] = 255
    inside[:, 6] = 255
    np.testing.assert_array_equal(trunk(at_the_edge)["logit"], trunk(films)["logit"])
    assert np.abs(np.asarray(trunk(inside)["logit"]) - np.asarray(trunk(films)["logit"])).min() > 0


def test_scaled_by_itself_a_film_may_be_darker_or_flatter() -> None:
    keras.utils.set_random_seed(0)
    network = PLAIN.model_copy(update={"scaling": "film", "hidden_edge": 6})
    trunk = build_trunk("none", network)
    films = np.random.default_rng(5).uniform(0, 255, (2, 224, 224, 1)).astype(np.float32)
    seen = np.asarray(keras.Model(trunk.input, trunk.get_layer("scaling").output)(films))
    np.testing.assert_allclose(seen.mean(axis=(1, 2)), 0, atol=0.05)
    np.testing.assert_allclose(seen.std(axis=(1, 2)), 58, rtol=1e-3)
    np.testing.assert_allclose(trunk(films * 0.5 + 20)["logit"], trunk(films)["logit"], rtol=1e-2, atol=1e-3)
    assert np.isfinite(np.asarray(trunk(np.zeros_like(films))["logit"])).all()


def test_each_recipe_makes_the_head_it_describes() -> None:
    def head(name: str) -> list[str]:
        trunk = build_trunk("none", builtin_recipes()[name].network)
        names = [layer.name for layer in trunk.layers if not layer.name.startswith("domain_features")]
        assert trunk.output["logit"].shape == (None, 1)
        return names[names.index("features") + 1 :]

    assert head("frozen") == ["head_normalisation", "dropout", "hidden", "hidden_dropout", "head"]
    assert head("mobilenet") == ["hidden", "hidden_dropout", "head"]
    assert head("finetune40") == ["dropout", "head"]
    assert head("scratch")[0] == "head"


def test_two_classes_under_softmax_are_one_logit() -> None:
    trunk = build_trunk("none", builtin_recipes()["scratch"].network)
    films = np.random.default_rng(3).integers(0, 256, (2, 224, 224, 1)).astype(np.float32)
    classes = np.asarray(keras.Model(trunk.input, trunk.get_layer("head").output)(films))
    softmax = np.exp(classes) / np.exp(classes).sum(axis=1, keepdims=True)
    sigmoid = 1 / (1 + np.exp(-np.asarray(trunk(films)["logit"])))
    np.testing.assert_allclose(sigmoid[:, 0], softmax[:, 1], rtol=1e-5)


def test_mobilenet_learns_from_its_hundredth_layer() -> None:
    trunk = build_trunk("none", builtin_recipes()["mobilenet"].network)
    set_trainable(trunk, builtin_recipes()["mobilenet"].phases[1], pretrained=True)
    assert [layer.trainable for layer in find_backbone(trunk).layers].index(True) == 100


@pytest.mark.parametrize("name", sorted(builtin_recipes()))
def test_a_checkpoint_of_every_recipe_is_read_back(name: str, tmp_path: Path) -> None:
    recipe = builtin_recipes()[name]
    pixels = keras.Input((None, None, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(pixels)
    training = build_training_model(keras.Model(pixels, {"logit": pooled}), recipe.augment, recipe.phases[-1], seed=0)
    training.save(tmp_path / "checkpoint.keras")
    assert keras.models.load_model(tmp_path / "checkpoint.keras").to_json() == training.to_json()


def test_a_saved_model_needs_none_of_our_code(trunk: keras.Model, tmp_path: Path) -> None:
    nothing = np.zeros(1536, np.float32)
    domain = Domain(np.eye(1536, dtype=np.float32), nothing, nothing[:, None], nothing[:1])
    build_serving_model(trunk, Calibration(1.0, 0.0), domain).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert set(re.findall(r'"module": "(\w+)', loaded.to_json())) == {"keras"}


def test_weights_that_do_not_load(tmp_path: Path) -> None:
    (tmp_path / "bad.weights.h5").write_text("not weights")
    for weights in (str(tmp_path / "bad.weights.h5"), str(tmp_path / "gone.weights.h5")):
        with pytest.raises(RecipeError, match="cannot be loaded"):
            build_trunk(weights, PLAIN)
