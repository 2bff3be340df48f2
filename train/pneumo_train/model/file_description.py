"""The description of a model that its ONNX files carry: thresholds, calibration, figures, data, licence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from pneumo_infer.errors import ModelError

Interval = tuple[float, float]


class Part(BaseModel):
    """A part of a description. Unknown and missing fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OperatingPoint(Part):
    """A named threshold of the probability, with its figures on the films that it was chosen on."""

    threshold: float
    sensitivity: float
    specificity: float
    intervals: dict[str, Interval]
    chosen_on: str


class UncertainBand(Part):
    """The range of probabilities, including both ends, in which neither label is certain enough."""

    low: float
    high: float
    error_rate: float
    method: str
    chosen_on: str

    def contains(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return for each probability, (N,), whether it is in the band."""
        return (self.low <= probabilities) & (probabilities <= self.high)


class CalibrationDescription(Part):
    """Probability = sigmoid(slope * logit + offset)."""

    method: str
    slope: float
    offset: float
    fitted_on: str


class Flagged(Part):
    """Number of films, and the share flagged as out of domain with its 95 % interval."""

    films: int
    share: float
    interval: Interval


class Ood(Part):
    """The out-of-distribution detector: how it was fitted, its limit, and the share of each kind that it flags."""

    method: str
    fitted_on: str
    also_fitted_on: list[str]
    limit: float
    limit_fitted_on: str
    accepted: float
    measured_on: str
    flagged: dict[str, Flagged]
    corrupted: dict[str, Flagged]


class Decisions(Part):
    """Figures at one threshold, with 95 % Wilson intervals."""

    threshold: float
    sensitivity: float
    specificity: float
    precision: float
    accuracy: float
    f1: float
    intervals: dict[str, Interval]
    counts: dict[str, int]


class Ranking(Part):
    """Figures that do not depend on a threshold."""

    auc: float
    average_precision: float
    brier: float
    expected_calibration_error: float


class Metrics(Ranking):
    """Figures on one split.

    `calibration_error_by_chance` is the mean and the 95 % range for perfectly calibrated probabilities.
    """

    films: int
    pneumonia: int
    calibration_error_by_chance: tuple[float, float, float]
    operating_points: dict[str, Decisions]


class Population(Part):
    """The patients and views of the training films: ages in years, both included, and DICOM view positions."""

    age_years: tuple[float, float]
    views: tuple[str, ...]


class Data(Part):
    """The data set: films by split and label, patients by split."""

    source: str
    fingerprint: str
    films: dict[str, dict[str, int]]
    patients: dict[str, int]
    unreadable: int


class Weights(Part):
    """The initial weights of the training."""

    name: str
    sha256: str | None = None
    source: str
    licence: str


class FileDescription(Part):
    """The description in every model file, Keras or ONNX."""

    version: str
    labels: tuple[str, str]
    operating_points: dict[str, OperatingPoint]
    default_operating_point: str
    uncertain_band: UncertainBand
    calibration: CalibrationDescription
    ood: Ood
    metrics: dict[str, Metrics]
    data: Data
    population: Population | None = None
    weights: Weights

    @classmethod
    def from_metadata(cls, file: str, entries: Mapping[str, str]) -> Self:
        """Read the description from the metadata of an ONNX file.

        Parameters
        ----------
        file
            Name of the file, for error messages.
        entries
            The metadata, without the prefix `pneumo.`.

        Raises
        ------
        ModelError
            An entry is missing or invalid; the message names it.
        """
        plain, optional = ("version", "default_operating_point"), ("population",)
        keys = [key for key in cls.model_fields if key in entries or key not in optional]
        try:
            values = {key: entries[key] if key in plain else from_json(entries[key]) for key in keys}
        except KeyError as error:
            raise ModelError(file, f"has no metadata entry pneumo.{error.args[0]}", "export the model again") from None
        except ValueError as error:
            raise ModelError(file, f"has malformed metadata ({error})", "export the model again") from error
        return cls.checked(file, values)

    @classmethod
    def checked(cls, file: str, values: Mapping[str, Any]) -> Self:
        """Validate a description.

        Parameters
        ----------
        file
            Name of the file, for error messages.
        values
            The fields, as parsed from JSON.

        Raises
        ------
        ModelError
            A field is missing, unknown or of the wrong type; the message names it.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            remedy = "use the version of pneumo-infer that trained the model, or train it again"
            raise ModelError(file, f"invalid field {field} in the description ({first['msg']})", remedy) from error
