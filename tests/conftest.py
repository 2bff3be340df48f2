"""Films that the tests make themselves, and the real ones where they are at hand."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SHARED_FILMS = Path(__file__).parents[2] / "shared" / "data"


def draw_film(seed: int, *, pneumonia: bool = False, height: int = 300, width: int = 360) -> NDArray[np.uint8]:
    """Draw something like a chest film: a bright body, two dark lungs, and for pneumonia a bright patch in one."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    grey = np.full((height, width), 190.0) + 12 * np.sin(rows * rng.uniform(25, 40))
    for side in (-1, 1):
        across, down = rng.uniform(0.24, 0.32), rng.uniform(0.5, 0.7)
        grey -= 140 * np.exp(-1.5 * (((columns - side * 0.42) / across) ** 2 + (rows / down) ** 2))
    if pneumonia:
        side, height_of_patch = rng.choice([-1, 1]), rng.uniform(-0.2, 0.4)
        grey += 150 * np.exp(-(((columns - side * 0.42) / 0.3) ** 2 + ((rows - height_of_patch) / 0.45) ** 2))
    return (grey + rng.normal(0, 4, grey.shape)).clip(0, 255).astype(np.uint8)


def write_chest_xray(root: Path, patients: int, split: str = "train") -> Path:
    """Write a data set in the public one's layout: one film of each of `patients` patients in each class."""
    for seed in range(patients):
        for label, name in (("NORMAL", f"IM-{seed:04}-0001.jpeg"), ("PNEUMONIA", f"person{seed}_virus_{seed}.jpeg")):
            path = root / split / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw_film(seed, pneumonia=label == "PNEUMONIA")).save(path, quality=90)
    return root


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file's rows; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def film() -> NDArray[np.uint8]:
    return draw_film(0)


@pytest.fixture(scope="session")
def film_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Films as files of many sizes: the hospital's own where they are at hand, drawn ones else."""
    real = sorted(SHARED_FILMS.glob("full_size/*/*.jpeg"))
    if real:
        return real
    folder = tmp_path_factory.mktemp("films")
    paths = []
    for seed in range(12):
        paths.append(folder / f"film{seed}.jpeg")
        drawn = draw_film(seed, pneumonia=seed % 2 == 0, height=400 + 150 * seed, width=1900 - 120 * seed)
        Image.fromarray(drawn).save(paths[-1], quality=90)
    return paths


TINY_RECIPE = """
summary = "a tiny recipe for tests"

[split]
seed = 7
validation = 0.3
test = 0.2

[augment]
flip = true
rotation_degrees = 3
shift = 0.02
zoom_in = 0.05
zoom_out = 0.0
brightness = 0.05
contrast = 0.1

[fit]
batch_size = 16
dropout = 0.2
label_smoothing = 0.0
weight_decay = 1e-4
class_weights = true
early_stopping_patience = 3
reduce_rate_patience = 1
reduce_rate_factor = 0.5

[[phases]]
name = "head"
train = "head"
batch_normalisation = "frozen"
epochs = 8
learning_rate = 1e-3

[[phases]]
name = "top"
train = 10
batch_normalisation = "frozen"
epochs = 2
learning_rate = 1e-5
"""


@dataclass(frozen=True)
class TinyTraining:
    """What a small training run on drawn films starts from."""

    data: Path
    recipe: Path
    weights: Path
    cache: Path

    def command(self, output: Path) -> list[str | Path]:
        """The command that trains into a run folder."""
        options = {"data": self.data, "recipe": self.recipe, "weights": self.weights, "cache": self.cache}
        listed = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [sys.executable, "-m", "pneumo_train", *listed, "--output", output]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyTraining:
    folder = tmp_path_factory.mktemp("tiny")
    data = write_chest_xray(folder / "chest_xray", patients=60)
    recipe = folder / "tiny.toml"
    recipe.write_text(TINY_RECIPE)
    return TinyTraining(data, recipe, write_weights(folder / "tiny.weights.h5", data), folder / "cache")


def write_weights(path: Path, data: Path) -> Path:
    """Stand in for ImageNet weights: random ones whose batch normalisation has seen films."""
    import keras

    from pneumo_infer.preprocess import read_pixels

    keras.utils.set_random_seed(3)
    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(224, 224, 3))
    films = np.stack([read_pixels(film) for film in sorted(data.rglob("*.jpeg"))[::5]])
    colour = keras.applications.resnet50.preprocess_input(np.repeat(films[..., None], 3, axis=3).astype(np.float32))
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    backbone(colour, training=True)
    backbone.save_weights(path)
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the real program."""
    run = tmp_path_factory.mktemp("runs") / "tiny"
    subprocess.run(tiny.command(run), check=True, capture_output=True)
    return run
