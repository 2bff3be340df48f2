"""A model converted and quantised once, for the tests to tamper with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_once import made_once
from staged import Staged

from pneumo_export.pipeline import PRECISIONS, make_files, parity_films
from pneumo_train.model.trained import load_trained
from pneumo_train.training.films import read_split


@pytest.fixture(scope="session")
def made(tiny_run: Path, shared: Path) -> Staged:
    folder = shared / "made"
    source = load_trained(tiny_run / "model.keras")
    decoded = read_split(tiny_run)
    films = parity_films(decoded, least_films=16)
    with made_once(folder) as first:
        if first:
            make_files(source, decoded, folder, PRECISIONS)
    files = {precision: next(folder.glob(f"*-{precision}.onnx")) for precision in PRECISIONS}
    return Staged(source, films, folder, files)


@pytest.fixture
def staged(made: Staged, tmp_path: Path) -> Staged:
    """The same files, for one test alone."""
    folder = tmp_path / "staged"
    shutil.copytree(made.folder, folder)
    return Staged(made.source, made.films, folder, {name: folder / file.name for name, file in made.files.items()})
