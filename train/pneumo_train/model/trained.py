"""The files of a trained model: the Keras file and the description next to it."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from pneumo_train.errors import RunError
from pneumo_train.model.description import ModelDescription

MODEL_FILE = "model.keras"
OUTPUTS = ("logit", "probability", "domain_distance")


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained model, ready for evaluation or export.

    Attributes
    ----------
    keras_model
        uint8 (N, 224, 224, 1) to `logit`, `probability` and `domain_distance`, float32 (N, 1) each.
    description
        Content of the JSON file next to it.
    sha256
        SHA-256 of the Keras file, hexadecimal.
    """

    path: Path
    keras_model: keras.Model
    description: ModelDescription
    sha256: str


def description_of(path: Path) -> Path:
    """Return the path of the description of a Keras file: the same path with the suffix `.json`."""
    return path.with_suffix(".json")


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read the training history of a Keras file from `history.csv` next to it, if it exists.

    Returns
    -------
    list of dict
        One dict per epoch, or an empty list.
    """
    history = path.with_name("history.csv")
    if not history.is_file():
        return []
    with history.open(newline="", encoding="utf-8") as rows:
        return [
            {key: value if key == "phase" else float(value) for key, value in row.items()}
            for row in csv.DictReader(rows)
        ]


def read_description(path: Path) -> ModelDescription:
    """Read the description of a Keras file.

    Raises
    ------
    RunError
        The description is missing or is not valid JSON.
    ModelError
        The description has an invalid field; the message names it.
    """
    file = description_of(path)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(str(file), f"cannot be read ({error.strerror})", "keep it next to its .keras file") from error
    except ValueError as error:
        raise RunError(str(file), f"not valid JSON ({error})", "train the model again") from error
    return ModelDescription.checked(str(file), values)


def load_trained(path: Path) -> TrainedModel:
    """Load a Keras model and its description.

    Raises
    ------
    RunError, ModelError
        A file is missing or damaged, or the model does not have the inputs and outputs of pneumo-train.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(
            str(path), f"cannot be read ({error.strerror})", "pass the path of a .keras file to --model"
        ) from error
    description = read_description(path)
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras can raise any exception for a file in another format
        reason = str(error).splitlines()[0]
        raise RunError(
            str(path), f"not a Keras model ({reason})", "use a .keras file written by pneumo-train"
        ) from error
    if model.input_shape != (None, 224, 224, 1) or sorted(_output_names(model)) != sorted(OUTPUTS):
        outputs, expected = ", ".join(_output_names(model)), ", ".join(OUTPUTS)
        problem = f"maps {model.input_shape} to {outputs}, not (None, 224, 224, 1) to {expected}"
        raise RunError(str(path), problem, "use a .keras file written by pneumo-train")
    return TrainedModel(path, model, description, hashlib.sha256(content).hexdigest())


def _output_names(model: keras.Model) -> list[str]:
    return list(model.output) if isinstance(model.output, dict) else model.output_names
