"""Films that the tests make themselves, and the real ones where they are at hand."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_films import SHARED_FILMS, draw_film, write_chest_xray
from numpy.typing import NDArray
from PIL import Image
from tiny_training import LIGHT_RECIPE, TINY_RECIPE, TinyTraining, write_light_weights, write_weights

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TRAINS = {"tiny", "light"}  # fixtures from which networks are trained


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "end_to_end" in item.path.parts or TRAINS & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


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


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyTraining:
    folder = tmp_path_factory.mktemp("tiny")
    data = write_chest_xray(folder / "chest_xray", patients=40)
    recipe = folder / "tiny.toml"
    recipe.write_text(TINY_RECIPE)
    return TinyTraining(data, recipe, write_weights(folder / "tiny.weights.h5", data), folder / "cache")


@pytest.fixture(scope="session")
def light(tiny: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> TinyTraining:
    """The same films for a smaller network on smaller films, where only the course of a training is looked at."""
    folder = tmp_path_factory.mktemp("light")
    recipe = folder / "light.toml"
    recipe.write_text(LIGHT_RECIPE)
    return replace(tiny, recipe=recipe, weights=write_light_weights(folder / "light.weights.h5"))


@pytest.fixture(scope="session")
def tiny_run(tiny: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the real program."""
    run = tmp_path_factory.mktemp("runs") / "tiny"
    subprocess.run(tiny.command(run), check=True, capture_output=True)
    return run
