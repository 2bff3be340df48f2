"""The files of a trained model: the Keras file and the description next to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from pneumo_infer.model.checksum import CHECKSUMS, listed_digest
from pneumo_train.errors import RunError, first_line
from pneumo_train.model.description import ModelDescription
from pneumo_train.model.load_keras import load_keras
from pneumo_train.side_files import SideFile

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
    values = SideFile(file, "keep the .json file of the training next to its .keras file").json(dict[str, Any])
    return ModelDescription.checked(str(file), values)


def load_trained(path: Path) -> TrainedModel:
    """Load a Keras model and its description.

    Raises
    ------
    RunError, ModelError
        A file is missing, damaged or altered, its folder was not published completely, or the model does not have the
        inputs and outputs of pneumo-train.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(
            str(path), f"cannot be read ({error.strerror})", "pass the path of a .keras file to --model"
        ) from error
    description, sha256 = read_description(path), hashlib.sha256(content).hexdigest()
    if listed_digest(path) not in (None, sha256):
        problem = f"is not the file that was published (its SHA-256 differs from the one in {CHECKSUMS})"
        raise RunError(str(path), problem, "publish the model again")
    try:
        model = load_keras(path, compile=False)
    except Exception as error:  # Keras can raise any exception for a file in another format
        remedy = "use a .keras file written by pneumo-train"
        raise RunError(str(path), f"not a Keras model ({first_line(error)})", remedy) from error
    if model.input_shape != (None, 224, 224, 1) or sorted(_output_names(model)) != sorted(OUTPUTS):
        outputs, expected = ", ".join(_output_names(model)), ", ".join(OUTPUTS)
        problem = f"maps {model.input_shape} to {outputs}, not (None, 224, 224, 1) to {expected}"
        raise RunError(str(path), problem, "use a .keras file written by pneumo-train")
    return TrainedModel(path, model, description, sha256)


def _output_names(model: keras.Model) -> list[str]:
    return list(model.output) if isinstance(model.output, dict) else model.output_names
