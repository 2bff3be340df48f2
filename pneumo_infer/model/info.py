"""Find the model files, check them against the contract, and parse their metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumo_infer.errors import ModelError
from pneumo_infer.films.dicom.header import Population
from pneumo_infer.model.checksum import listed_digest

SCHEMA = "1"
LABELS = ("NORMAL", "PNEUMONIA")
# int8 is fastest on a CPU, fp16 on a GPU.
PACKAGED_MODELS = {"cpu": "pneumo-resnet50-int8.onnx", "cuda": "pneumo-resnet50-fp16.onnx"}
OUTPUTS = ("probability", "logit", "heatmap", "domain_distance")
EXPORT_AGAIN = "export it again with pneumo-export"
HEATMAP_SIDES = range(7, 29)  # cells along each side of the square heatmap
METADATA_KEYS = (
    "schema",
    "labels",
    "operating_points",
    "default_operating_point",
    "domain_limit",
    "preprocess",
    "calibration",
    "metrics",
    "data",
    "source_sha256",
    "version",
    "licence",
    "intended_use",
)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A named decision threshold with its measured sensitivity and specificity.

    Attributes
    ----------
    threshold
        The label is PNEUMONIA if the calibrated probability is at or above this value.
    sensitivity, specificity
        Measured on the set named by `chosen_on`.
    sensitivity_interval, specificity_interval
        Lower and upper bound of the 95 % Wilson interval (Wilson, JASA 22, 1927).
    """

    name: str
    threshold: float
    sensitivity: float
    specificity: float
    sensitivity_interval: tuple[float, float]
    specificity_interval: tuple[float, float]
    chosen_on: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The metadata of a model file.

    Attributes
    ----------
    path
        The ONNX file.
    operating_points
        Operating points by name.
    domain_limit
        Films with a `domain_distance` above this limit are out of domain.
    uncertain_band
        Lower and upper bound of the probabilities that need review; None if the model has no such band.
    population
        The patients and views that the model was trained on; None if the file does not say.
    metadata
        All `pneumo.*` entries of the file, unparsed, keyed without the prefix.
    """

    path: Path
    operating_points: Mapping[str, OperatingPoint]
    default_operating_point: str
    domain_limit: float
    uncertain_band: tuple[float, float] | None
    population: Population | None
    metadata: Mapping[str, str]

    def operating_point(self, name: str | None = None) -> OperatingPoint:
        """Look up an operating point by name, or the default one if `name` is None.

        Raises
        ------
        ModelError
            The model has no such operating point.
        """
        key = self.default_operating_point if name is None else name
        try:
            return self.operating_points[key]
        except KeyError:
            known = ", ".join(sorted(self.operating_points))
            raise ModelError(
                self.path.name, f"has no operating point {key!r}", f"choose one of {known}, or a number from 0 to 1"
            ) from None


def packaged_models() -> dict[str, Path]:
    """Find the packaged model files.

    A wheel has them inside the package, a checkout in `models/`.

    Returns
    -------
    dict
        `cpu` and `cuda`, each with the file for that device.

    Raises
    ------
    ModelError
        A file is missing from the installation.
    """
    package = Path(__file__).parents[1]
    folder = next((f for f in (package / "models", package.parent / "models") if f.is_dir()), package)
    files = {device: folder / name for device, name in PACKAGED_MODELS.items()}
    for path in files.values():
        if not path.is_file() or listed_digest(path) is None:
            raise ModelError(path.name, "missing from this installation", "reinstall pneumo-infer")
    return files


def parse_model(
    path: Path,
    inputs: Mapping[str, tuple[str, list[Any]]],
    outputs: Mapping[str, tuple[str, list[Any]]],
    metadata: Mapping[str, str],
) -> ModelInfo:
    """Check a graph's inputs, outputs and metadata against the contract, and parse the metadata.

    Parameters
    ----------
    path
        The ONNX file.
    inputs, outputs
        Name to (type, shape), with types as onnxruntime spells them, such as `tensor(uint8)`.
    metadata
        The `metadata_props` of the file.

    Raises
    ------
    ModelError
        The file has a different schema, or a required part is missing or malformed.
    """
    entries = {key.removeprefix("pneumo."): value for key, value in metadata.items() if key.startswith("pneumo.")}
    _check_schema(path, entries)
    _check_graph(path, inputs, outputs)
    try:
        if tuple(json.loads(entries["labels"])) != LABELS:
            raise ModelError(path.name, f"has labels {entries['labels']}, expected {json.dumps(LABELS)}", EXPORT_AGAIN)
        points = {
            name: _operating_point(name, entry) for name, entry in json.loads(entries["operating_points"]).items()
        }
        model = ModelInfo(
            path=path,
            operating_points=points,
            default_operating_point=entries["default_operating_point"],
            domain_limit=float(json.loads(entries["domain_limit"])),
            uncertain_band=_band(json.loads(entries.get("uncertain_band", "null"))),
            population=Population.from_dict(json.loads(entries["population"])) if "population" in entries else None,
            metadata=entries,
        )
    except ModelError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(path.name, f"has malformed metadata ({error!r})", EXPORT_AGAIN) from error
    model.operating_point()
    return model


def _check_schema(path: Path, entries: Mapping[str, str]) -> None:
    if "schema" not in entries:
        raise ModelError(
            path.name, "not a pneumo-infer model (no pneumo.schema in its metadata)", "export it with pneumo-export"
        )
    if entries["schema"] != SCHEMA:
        raise ModelError(
            path.name,
            f"has schema {entries['schema']}, but this version supports schema {SCHEMA}",
            "install a matching version of pneumo-infer",
        )
    missing = [key for key in METADATA_KEYS if key not in entries]
    if missing:
        names = ", ".join(f"pneumo.{key}" for key in missing)
        raise ModelError(path.name, f"missing metadata {names}", EXPORT_AGAIN)


def _check_graph(
    path: Path, inputs: Mapping[str, tuple[str, list[Any]]], outputs: Mapping[str, tuple[str, list[Any]]]
) -> None:
    kind, shape = inputs.get("image", ("", []))
    if len(inputs) != 1 or kind != "tensor(uint8)" or shape[1:] != [224, 224, 1] or isinstance(shape[0], int):
        raise ModelError(
            path.name, f"has inputs {dict(inputs)}, expected one uint8 input, image [N, 224, 224, 1]", EXPORT_AGAIN
        )
    for name in OUTPUTS:
        if outputs.get(name, ("", []))[0] != "tensor(float)":
            raise ModelError(path.name, f"has no float32 output {name!r}", EXPORT_AGAIN)
    _, heatmap = outputs["heatmap"]
    if len(heatmap) != 3 or heatmap[1] != heatmap[2] or heatmap[1] not in HEATMAP_SIDES:
        sides = f"{HEATMAP_SIDES[0]} to {HEATMAP_SIDES[-1]}"
        raise ModelError(
            path.name, f"has heatmaps of shape {heatmap}, expected [N, S, S] with S from {sides}", EXPORT_AGAIN
        )


def _band(entry: Mapping[str, Any] | None) -> tuple[float, float] | None:
    return None if entry is None else (float(entry["low"]), float(entry["high"]))


def _operating_point(name: str, entry: Mapping[str, Any]) -> OperatingPoint:
    sensitivity, specificity = entry["intervals"]["sensitivity"], entry["intervals"]["specificity"]
    return OperatingPoint(
        name=name,
        threshold=float(entry["threshold"]),
        sensitivity=float(entry["sensitivity"]),
        specificity=float(entry["specificity"]),
        sensitivity_interval=(float(sensitivity[0]), float(sensitivity[1])),
        specificity_interval=(float(specificity[0]), float(specificity[1])),
        chosen_on=str(entry["chosen_on"]),
    )
