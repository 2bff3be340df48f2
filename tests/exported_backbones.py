"""Export a backbone with random weights in all precisions, and prove it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

from pneumo_export.parity.keras_reference import keras_reference
from pneumo_export.parity.proof import prove
from pneumo_export.pipeline import PRECISIONS, make_files, parity_films
from pneumo_infer import Classifier
from pneumo_train.data.batches import TrainingFilms, predict, training_films
from pneumo_train.model.backbones import BACKBONES
from pneumo_train.model.calibration import Calibration
from pneumo_train.model.network import build_serving_model, build_trunk, find_backbone
from pneumo_train.model.trained import load_trained
from pneumo_train.ood.detector import fit_detector
from pneumo_train.recipe import Network
from pneumo_train.training.films import read_split

# With random weights, their probabilities move by more than the gates of int8 allow.
INT8_NEEDS_TRAINING = {"efficientnetlite0", "mobilenetv2"}


def random_network(backbone: str, films: TrainingFilms) -> keras.Model:
    """Build a network with random weights, whose batch statistics, head and domain check are fitted to films."""
    keras.utils.set_random_seed(5)
    stride = 16 if BACKBONES[backbone].last_strides else 32
    network = Network(backbone=backbone, weights="none", scaling="equalised", output_stride=stride)
    trunk = build_trunk("none", network, image_size=7 * stride)
    pixels = films.pixels.astype(np.float32)
    layers = find_backbone(trunk).layers
    for layer in layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
            # Random blocks in a row would blow rounding errors up; each adds a little to its shortcut instead.
            if "project" in layer.name:
                layer.gamma.assign(np.full(layer.gamma.shape, 0.1))
    trunk(pixels[:: len(pixels) // 16], training=True)
    maps = find_backbone(trunk).output[0]
    pooled = keras.Model(find_backbone(trunk).input, keras.layers.GlobalAveragePooling2D()(maps))
    scaled = keras.Model(trunk.input, trunk.get_layer("scaling").output)
    features = predict(keras.Model(trunk.input, pooled(scaled(trunk.input))), films.pixels)
    deviation = features.std() + 1e-6
    fitted = LogisticRegression(C=0.1, max_iter=10_000).fit(features / deviation, films.targets)
    trunk.get_layer("head").set_weights([(fitted.coef_ / deviation).T, fitted.intercept_])
    known, inverted = (predict(trunk, shown)["ood_features"] for shown in (films.pixels, 255 - films.pixels))
    detector = fit_detector(known, inverted, known)
    return build_serving_model(trunk, Calibration(1.0, 0.0), detector)


def export_and_prove(backbone: str, run: Path, folder: Path) -> None:
    decoded = read_split(run)
    serving = random_network(backbone, training_films(decoded))
    serving.save(folder / "model.keras")
    source = replace(load_trained(run / "model.keras"), keras_model=keras.models.load_model(folder / "model.keras"))
    files = make_files(source, decoded, folder, PRECISIONS)
    films = parity_films(decoded, least_films=16)
    reference = keras_reference(source, films.pixels)
    for precision, file in files.items():
        if precision == "int8" and backbone in INT8_NEEDS_TRAINING:
            continue
        proof = prove(file, precision, reference, films)
        assert proof.passed, (precision, proof.to_dict())
    answer = Classifier(files["int8"], device="cpu").predict(films.pixels[0, :, :, 0])
    assert answer.heatmap is not None
    assert answer.heatmap.shape == (7, 7)
