"""The proof of a file that exists already, repeated."""

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
from pneumo_train.training.run import read_split


def check_file(file: Path, against: Path | None, data: Path | None, least_films: int) -> Proof:
    """Hold an ONNX file against the contract, and its answers against the Keras model that it was made from.

    Parameters
    ----------
    against
        The Keras file; if None, the one that lies beside the ONNX file or beside its folder.
    data
        Where the films of the split beside the Keras file lie, if not where the run found them.

    Raises
    ------
    ModelError, GraphError
        The file is none of ours, or breaks the contract.
    ExportError
        The Keras file cannot be found.
    """
    described = Classifier(file, device="cpu").model.metadata
    check_graph(onnx.load(file), file.name)
    source = load_trained(against or _find_source(file, described["source_sha256"]))
    if source.sha256 != described["source_sha256"]:
        raise GraphError(file.name, f"was not made from {source.path}", "name the right file with --against")
    films = parity_films(read_split(source.path.parent, data), least_films)
    return prove(file, described["precision"], keras_reference(source, films.pixels), films)


def _find_source(file: Path, sha256: str) -> Path:
    for path in _keras_files(file):
        if file_digest(path) == sha256:
            return path
    raise ExportError(
        file.name, "was made from a Keras file that is not beside it", "name that file with --against FILE.keras"
    )


def _keras_files(file: Path) -> Iterator[Path]:
    yield from sorted(file.parent.glob("*.keras"))
    yield from sorted(file.parent.parent.glob("*.keras"))
