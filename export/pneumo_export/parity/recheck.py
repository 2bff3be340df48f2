"""Repeat the parity check of an exported file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx

from pneumo_export.convert import check_graph
from pneumo_export.errors import ExportError, GraphError
from pneumo_export.parity.keras_reference import keras_reference
from pneumo_export.parity.proof import Proof, prove
from pneumo_export.pipeline import parity_films
from pneumo_infer import Classifier
from pneumo_infer.model.checksum import file_digest
from pneumo_train.model.trained import load_trained
from pneumo_train.training.films import read_split

DO_NOT_USE = "do not use this file; export the model again"


def check_file(file: Path, against: Path | None, data: Path | None, least_films: int) -> Proof:
    """Check an ONNX file against the contract, and its results against the Keras model it was exported from.

    Parameters
    ----------
    against
        The Keras file. None looks for it next to the ONNX file and one folder up.
    data
        The folder with the films of the model's split, if they were moved after training.
    least_films
        Minimum number of films for the parity check.

    Raises
    ------
    ModelError
        The file was not written by pneumo-export, or was altered.
    GraphError
        The file breaks the contract, or was exported from another Keras model.
    ExportError
        The Keras file cannot be found, or there are too few films.
    """
    described = Classifier(file, device="cpu").model.metadata
    check_graph(onnx.load(file), file.name, DO_NOT_USE)
    source = load_trained(against or _find_source(file, described["source_sha256"]))
    if source.sha256 != described["source_sha256"]:
        raise GraphError(file.name, f"was not exported from {source.path}", "give the right file with --against")
    films = parity_films(read_split(source.path.parent, data), least_films)
    return prove(file, described["precision"], keras_reference(source, films.pixels), films)


def _find_source(file: Path, sha256: str) -> Path:
    for path in _keras_files(file):
        if file_digest(path) == sha256:
            return path
    raise ExportError(
        file.name,
        "the Keras file it was exported from is not next to it or one folder up",
        "give that file with --against FILE.keras",
    )


def _keras_files(file: Path) -> Iterator[Path]:
    yield from sorted(file.parent.glob("*.keras"))
    yield from sorted(file.parent.parent.glob("*.keras"))
