"""A trained model as pneumo-train leaves it: the Keras file and the description beside it."""

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
    """A trained model, ready to be measured or exported.

    Attributes
    ----------
    keras_model
        uint8 (N, 224, 224, 1) to `logit`, `probability` and `domain_distance`, float32 (N, 1) each.
    description
        What pneumo-train wrote next to it.
    sha256
        Of the Keras file.
    """

    path: Path
    keras_model: keras.Model
    description: ModelDescription
    sha256: str


def description_of(path: Path) -> Path:
    """Where the description of a Keras file lies: beside it, as `.json`."""
    return path.with_suffix(".json")


def read_history(path: Path) -> list[dict[str, Any]]:
    """Read the epochs that led to a Keras file, where `history.csv` of its run lies beside it; else there are none."""
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
        The description is missing or not valid JSON.
    ModelError
        It does not fit; the message names the field.
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
        One of the files is missing or damaged, or the model has other inputs or outputs than those of pneumo-train.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(str(path), f"cannot be read ({error.strerror})", "give --model FILE.keras") from error
    description = read_description(path)
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises anything on files that are not its own
        reason = str(error).splitlines()[0]
        raise RunError(str(path), f"not a Keras model ({reason})", "give a .keras file of pneumo-train") from error
    if model.input_shape != (None, 224, 224, 1) or sorted(_output_names(model)) != sorted(OUTPUTS):
        raise RunError(
            str(path),
            f"takes {model.input_shape} and gives {_output_names(model)}",
            f"give a .keras file of pneumo-train: (None, 224, 224, 1) to {', '.join(OUTPUTS)}",
        )
    return TrainedModel(path, model, description, hashlib.sha256(content).hexdigest())


def _output_names(model: keras.Model) -> list[str]:
    return list(model.output) if isinstance(model.output, dict) else model.output_names
