"""What is exported: a Keras model and the description that pneumo-train wrote beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from pneumo_export.errors import ExportError

MODEL_FILE = "model.keras"
DESCRIPTION_FILE = "model.json"


@dataclass(frozen=True, slots=True)
class Source:
    """A trained model, ready to export.

    Attributes
    ----------
    keras_model
        uint8 (N, 224, 224, 1) to `logit` and `probability`, float32 (N, 1) each.
    description
        `model.json`, as pneumo-train wrote it.
    sha256
        Of the Keras file.
    """

    path: Path
    keras_model: keras.Model
    description: dict[str, Any]
    sha256: str


def latest_model(runs: Path) -> Path:
    """Find the model that was trained last.

    Raises
    ------
    ExportError
        No run below the folder has finished.
    """
    finished = [path for path in runs.glob(f"*/{MODEL_FILE}") if path.with_name(DESCRIPTION_FILE).exists()]
    if not finished:
        raise ExportError(str(runs), "holds no finished run", "train one with pneumo-train, or give --model FILE.keras")
    return max(finished, key=lambda path: path.stat().st_mtime_ns)


def load_source(path: Path) -> Source:
    """Load a Keras model and its description.

    Raises
    ------
    ExportError
        One of the files is missing or damaged, or the model takes or gives something else than ours do.
    """
    described = path.with_name(DESCRIPTION_FILE)
    try:
        content = path.read_bytes()
        description = json.loads(described.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExportError(
            str(error.filename), f"cannot be read ({error.strerror})", "give --model FILE.keras"
        ) from error
    except ValueError as error:
        raise ExportError(str(described), f"is no JSON ({error})", "train the model again") from error
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises anything on files that are not its own
        reason = str(error).splitlines()[0]
        raise ExportError(str(path), f"is no Keras model ({reason})", "give a .keras file of pneumo-train") from error
    if model.input_shape != (None, 224, 224, 1) or sorted(_output_names(model)) != ["logit", "probability"]:
        raise ExportError(
            str(path),
            f"takes {model.input_shape} and gives {_output_names(model)}",
            "give a .keras file of pneumo-train: (None, 224, 224, 1) to logit and probability",
        )
    return Source(path, model, description, hashlib.sha256(content).hexdigest())


def _output_names(model: keras.Model) -> list[str]:
    return list(model.output) if isinstance(model.output, dict) else model.output_names
