"""Shape and outputs of the network, and its trainable layers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pytest

from pneumo_train.data.batches import predict
from pneumo_train.errors import RecipeError
from pneumo_train.model.backbones import BACKBONES
from pneumo_train.model.build_backbone import build_backbone, keras_backbone
from pneumo_train.model.calibration import Calibration
from pneumo_train.model.lung_loss import WEIGHT
from pneumo_train.model.network import (
    build_serving_model,
    build_training_model,
    build_trunk,
    find_backbone,
    rebuild_trunk,
    set_trainable,
)
from pneumo_train.ood.detector import OodDetector
from pneumo_train.recipe import Augment, Network, Phase
from pneumo_train.recipe_files import builtin_recipes

PLAIN = Network(backbone="resnet50", scaling="imagenet", dropout=0.3)


def phase_of(**changed: object) -> Phase:
    values = {"name": "p", "train": "all", "batch_normalisation": "trainable", "epochs": 1, "learning_rate": 1e-3}
    return Phase.model_validate({**values, **changed})


@pytest.fixture(scope="module")
def trunk() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_trunk("none", PLAIN)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_one_channel_sees_what_three_equal_ones_do(backbone: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    colour = keras_backbone(backbone, channels=3)
    colour.save_weights(tmp_path / "w.weights.h5")
    grey = build_backbone(backbone, str(tmp_path / "w.weights.h5"))
    films = np.random.default_rng(0).uniform(-1, 1, (2, 96, 96, 1)).astype(np.float32)
    expected = np.asarray(colour(np.repeat(films, 3, axis=3)))
    np.testing.assert_allclose(np.asarray(grey(films)[0]), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_weights_that_keras_does_not_have() -> None:
    with pytest.raises(RecipeError, match=r"Keras has no weights for efficientnetlite0\); convert them as docs/"):
        build_backbone("efficientnetlite0", "imagenet")


def test_a_last_stage_without_stride_has_finer_maps() -> None:
    coarse, fine = (build_backbone("resnet50", "none", stride) for stride in (32, 16))
    film = np.zeros((1, 160, 160, 1), np.float32)
    assert tuple(coarse(film)[0].shape) == (1, 5, 5, 2048)
    assert tuple(fine(film)[0].shape) == (1, 10, 10, 2048)
    assert [weights.shape for weights in coarse.weights] == [weights.shape for weights in fine.weights]


@pytest.mark.parametrize("pooling", ["film", "lungs"])
def test_the_logit_is_the_sum_of_evidence(pooling: Literal["film", "lungs"]) -> None:
    keras.utils.set_random_seed(0)
    trunk = build_trunk("none", PLAIN.model_copy(update={"pooling": pooling, "output_stride": 16}), image_size=112)
    films = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 1)).astype(np.float32)
    head = trunk.get_layer("head")
    head.set_weights([head.kernel, np.array([50.0], np.float32)])  # so that the evidence at each place is positive
    outputs = trunk(films)
    assert outputs["heatmap"].shape == (2, 7, 7)
    assert np.asarray(outputs["heatmap"]).min() > 0
    np.testing.assert_allclose(np.sum(outputs["heatmap"], axis=(1, 2)), outputs["logit"][:, 0], rtol=1e-5)


def test_predicting_in_batches_changes_nothing(trunk: keras.Model) -> None:
    films = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 1), dtype=np.uint8)
    expected = trunk(films.astype(np.float32))
    for name, values in predict(trunk, films).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)


def test_evidence_counts_where_the_network_sees_lung() -> None:
    keras.utils.set_random_seed(0)
    trunk = build_trunk("none", PLAIN.model_copy(update={"pooling": "lungs"}))
    films = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 1)).astype(np.float32)
    kernel, _ = trunk.get_layer("lungs").get_weights()
    trunk.get_layer("lungs").set_weights([0 * kernel, np.array([-20.0], np.float32)])
    nowhere = np.asarray(trunk(films)["logit"])
    trunk.get_layer("lungs").set_weights([0 * kernel, np.array([20.0], np.float32)])
    np.testing.assert_allclose(nowhere, trunk(films)["logit"], rtol=1e-4)  # equal weights: the mean over the film
    assert trunk(films)["lungs"].shape == (1, 7, 7, 1)


def test_lungs_are_learned_from_fields_next_to_the_film() -> None:
    keras.utils.set_random_seed(0)
    network = PLAIN.model_copy(update={"pooling": "lungs"})
    trunk = build_trunk("none", network, image_size=96)
    training = build_training_model(trunk, Augment(), phase_of(image_size=96), seed=0, lung_fields=True)
    films = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 2), dtype=np.uint8)
    films[..., 1] = 255
    training(films, training=True)
    everywhere = float(sum(training.losses))
    lungs = np.asarray(trunk(films[..., :1].astype(np.float32), training=True)["lungs"])
    expected = WEIGHT * np.log1p(np.exp(-lungs)).mean()
    assert everywhere == pytest.approx(expected, rel=1e-3)
    training(films, training=False)
    assert not training.losses


def test_a_trunk_shrinks_films_to_the_size_that_it_learns_on(tmp_path: Path) -> None:
    films = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 1)).astype(np.float32)
    trunk = build_trunk("none", PLAIN, image_size=112)
    small = (films - BACKBONES["resnet50"].mean).reshape(2, 112, 2, 112, 2, 1).mean(axis=(2, 4))
    middle = trunk.get_layer("resnet50")(small)[1:]
    expected = np.concatenate([keras.ops.mean(maps, axis=(1, 2)) for maps in middle], axis=1)
    np.testing.assert_allclose(trunk(films)["ood_features"], expected, rtol=1e-4, atol=1e-5)
    trunk.save(tmp_path / "trunk.keras")
    loaded = keras.models.load_model(tmp_path / "trunk.keras")
    np.testing.assert_array_equal(loaded(films)["logit"], trunk(films)["logit"])
    larger = rebuild_trunk(trunk, PLAIN)
    assert larger.output["heatmap"].shape == (None, 7, 7)
    np.testing.assert_array_equal(larger.get_weights()[0], trunk.get_weights()[0])


def test_phases_choose_the_layers_that_learn(trunk: keras.Model) -> None:
    def learning(train: str | int, norm: str, pretrained: bool = True) -> list[str]:
        set_trainable(trunk, phase_of(train=train, batch_normalisation=norm), pretrained)
        return [layer.name for layer in trunk.get_layer("resnet50").layers if layer.trainable and layer.weights]

    assert learning("head", "trainable") == []
    assert len(trunk.trainable_weights) == 2
    top = learning(40, "trainable")
    assert top[-2:] == ["conv5_block3_3_conv", "conv5_block3_3_bn"]
    assert not any(name.startswith(("conv1", "conv2", "conv3")) for name in top)
    assert learning(40, "frozen") == [name for name in top if not name.endswith("_bn")]
    assert sum(name.endswith("_conv") for name in learning("all", "frozen")) == 53
    assert sum(name.endswith("_bn") for name in learning("head", "frozen", pretrained=False)) == 53


def test_the_served_model_calibrates_and_measures_distance(trunk: keras.Model) -> None:
    rng = np.random.default_rng(1)
    films = rng.integers(0, 256, (2, 224, 224, 1), dtype=np.uint8)
    shapes = {"whitening": (1536, 1536), "offset": (1536,), "direction": (1536, 1), "bias": (1,)}
    domain = OodDetector(**{name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})
    served = build_serving_model(trunk, Calibration(slope=0.5, offset=-0.25), domain)(films)
    expected = 1 / (1 + np.exp(-(0.5 * np.asarray(served["logit"]) - 0.25)))
    np.testing.assert_allclose(served["probability"], expected, rtol=1e-5)
    features = np.asarray(trunk(films.astype(np.float32))["ood_features"])
    np.testing.assert_allclose(served["domain_distance"][:, 0], domain.distances(features), rtol=1e-4)
    outlying = replace(domain, bias=np.array([1e6], np.float32))
    distances = build_serving_model(trunk, Calibration(1.0, 0.0), outlying)(films)["domain_distance"]
    np.testing.assert_allclose(distances, features @ domain.direction + 1e6, rtol=1e-4)


def test_scaled_by_itself_a_film_may_be_darker_or_flatter() -> None:
    keras.utils.set_random_seed(0)
    network = PLAIN.model_copy(update={"scaling": "film"})
    trunk = build_trunk("none", network)
    films = np.random.default_rng(5).uniform(0, 255, (2, 224, 224, 1)).astype(np.float32)
    seen = np.asarray(keras.Model(trunk.input, trunk.get_layer("scaling").output)(films))
    np.testing.assert_allclose(seen.mean(axis=(1, 2)), 0, atol=0.05)
    np.testing.assert_allclose(seen.std(axis=(1, 2)), 58, rtol=1e-3)
    np.testing.assert_allclose(trunk(films * 0.5 + 20)["logit"], trunk(films)["logit"], rtol=1e-2, atol=1e-3)
    assert np.isfinite(np.asarray(trunk(np.zeros_like(films))["logit"])).all()


def test_each_recipe_makes_the_head_it_describes() -> None:
    parts = ["head_normalisation", "dropout", "hidden", "hidden_dropout", "lungs", "head"]

    def head(name: str) -> list[str]:
        trunk = build_trunk("none", builtin_recipes()[name].network)
        assert trunk.output["logit"].shape == (None, 1)
        names = {layer.name for layer in trunk.layers}
        return [part for part in parts if part in names]

    assert head("frozen") == ["head_normalisation", "dropout", "hidden", "hidden_dropout", "head"]
    assert head("mobilenet") == ["hidden", "hidden_dropout", "head"]
    assert head("finetune40") == ["dropout", "head"]
    assert head("finetune") == ["dropout", "lungs", "head"]
    assert head("scratch") == ["head"]


def test_two_classes_under_softmax_are_one_logit() -> None:
    trunk = build_trunk("none", builtin_recipes()["scratch"].network)
    films = np.random.default_rng(3).integers(0, 256, (2, 224, 224, 1)).astype(np.float32)
    at_places = np.asarray(keras.Model(trunk.input, trunk.get_layer("head").output)(films))
    classes = at_places.reshape(len(films), -1, 2).mean(axis=1)
    softmax = np.exp(classes) / np.exp(classes).sum(axis=1, keepdims=True)
    sigmoid = 1 / (1 + np.exp(-np.asarray(trunk(films)["logit"])))
    np.testing.assert_allclose(sigmoid[:, 0], softmax[:, 1], rtol=1e-4)


def test_mobilenet_learns_from_its_hundredth_layer() -> None:
    trunk = build_trunk("none", builtin_recipes()["mobilenet"].network)
    set_trainable(trunk, builtin_recipes()["mobilenet"].phases[1], pretrained=True)
    assert [layer.trainable for layer in find_backbone(trunk).layers].index(True) == 100


@pytest.mark.parametrize("name", sorted(builtin_recipes()))
def test_a_checkpoint_of_every_recipe_is_read_back(name: str, tmp_path: Path) -> None:
    recipe = builtin_recipes()[name]
    pixels = keras.Input((224, 224, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(pixels)
    trunk = keras.Model(pixels, {"logit": pooled, "lungs": keras.layers.AveragePooling2D(32)(pixels)})
    lung_fields = recipe.network.pooling == "lungs"
    training = build_training_model(trunk, recipe.augment, recipe.phases[-1], 0, lung_fields)
    training.save(tmp_path / "checkpoint.keras")
    assert keras.models.load_model(tmp_path / "checkpoint.keras").to_json() == training.to_json()


def test_a_saved_model_needs_none_of_our_code(trunk: keras.Model, tmp_path: Path) -> None:
    nothing = np.zeros(1536, np.float32)
    domain = OodDetector(np.eye(1536, dtype=np.float32), nothing, nothing[:, None], nothing[:1])
    build_serving_model(trunk, Calibration(1.0, 0.0), domain).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert set(re.findall(r'"module": "(\w+)', loaded.to_json())) == {"keras"}


def test_weights_that_do_not_load(tmp_path: Path) -> None:
    (tmp_path / "bad.weights.h5").write_text("not weights")
    for weights in (str(tmp_path / "bad.weights.h5"), str(tmp_path / "gone.weights.h5")):
        with pytest.raises(RecipeError, match="cannot be loaded"):
            build_trunk(weights, PLAIN)
