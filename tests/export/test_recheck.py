"""The parity check repeated on an exported file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from staged import Staged, scale_largest_weights, tamper

from pneumo_export.errors import ExportError, GraphError
from pneumo_export.parity.recheck import check_file
from pneumo_export.pipeline import publish
from pneumo_infer import ModelError
from pneumo_infer.model.checksum import CHECKSUMS


@pytest.fixture(scope="module")
def released(made: Staged, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with the exported files in it."""
    run = tmp_path_factory.mktemp("released") / "run"
    shutil.copytree(tiny_run, run, ignore=shutil.ignore_patterns("export", "triton"))
    shutil.copytree(made.folder, run / "staged")
    (run / "export").mkdir()
    fp32 = {"fp32": run / "staged" / made.files["fp32"].name}
    publish(fp32, made.source, made.films, run / "staged", run / "export")
    return run


@pytest.fixture
def published(released: Path, tmp_path: Path) -> Path:
    """The same folder, for one test alone."""
    shutil.copytree(released, tmp_path / "run")
    return tmp_path / "run" / "export"


def test_a_whole_file_passes_and_finds_its_source(published: Path) -> None:
    proof = check_file(published / "pneumo-resnet50-fp32.onnx", against=None, data=None, least_films=16)
    assert proof.precision == "fp32"
    assert proof.passed


def test_an_altered_file_is_refused_by_its_digest_and_fails_by_its_answers(published: Path) -> None:
    file = published / "pneumo-resnet50-fp32.onnx"
    tamper(file, lambda proto: scale_largest_weights(proto, 1.05))
    with pytest.raises(ModelError, match="is not the file that was released"):
        check_file(file, against=None, data=None, least_films=16)
    (published / CHECKSUMS).unlink()
    assert not check_file(file, against=None, data=None, least_films=16).passed


def test_a_file_of_another_model(published: Path, tmp_path: Path) -> None:
    file = published / "pneumo-resnet50-fp32.onnx"
    source = published.parent / "model.keras"
    with source.open("ab") as altered:
        altered.write(b"\0")
    with pytest.raises(ExportError, match="the Keras file it was exported from is not next to it"):
        check_file(file, against=None, data=None, least_films=16)
    with pytest.raises(GraphError, match="was not exported from"):
        check_file(file, against=source, data=None, least_films=16)
