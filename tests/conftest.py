"""Films that the tests make themselves, and the real ones where they are at hand."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_films import SHARED_FILMS, draw_film, write_chest_xray
from made_once import in_a_process, made_once
from numpy.typing import NDArray
from PIL import Image
from tiny_training import LIGHT_RECIPE, TINY_RECIPE, TinyTraining, write_light_weights, write_weights

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TRAINS = {"tiny", "light"}  # fixtures from which networks are trained


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if "end_to_end" in item.path.parts or TRAINS & fixtures:
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
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a parallel run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def tiny(shared: Path) -> TinyTraining:
    folder = shared / "tiny"
    training = TinyTraining(folder / "chest_xray", folder / "tiny.toml", folder / "tiny.weights.h5", folder / "cache")
    with made_once(folder) as first:
        if first:
            write_chest_xray(training.data, patients=40)
            training.recipe.write_text(TINY_RECIPE)
            in_a_process(write_weights, training.weights, training.data)
    return training


@pytest.fixture(scope="session")
def light(tiny: TinyTraining, shared: Path) -> TinyTraining:
    """The same films for a smaller network on smaller films, where only the course of a training is looked at."""
    folder = shared / "light"
    training = replace(tiny, recipe=folder / "light.toml", weights=folder / "light.weights.h5")
    with made_once(folder) as first:
        if first:
            training.recipe.write_text(LIGHT_RECIPE)
            in_a_process(write_light_weights, training.weights)
    return training


@pytest.fixture(scope="session")
def tiny_run(tiny: TinyTraining, shared: Path) -> Path:
    """A finished run of the real program."""
    with made_once(shared / "runs") as first:
        if first:
            subprocess.run(tiny.command(shared / "runs/tiny"), check=True, capture_output=True)
    return shared / "runs/tiny"
