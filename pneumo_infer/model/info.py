"""The ONNX file and its metadata: find it, hold it against the contract, describe it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumo_infer.errors import ModelError
from pneumo_infer.model.checksum import listed_digest

SCHEMA = "1"
LABELS = ("NORMAL", "PNEUMONIA")
# By the device that each is for: int8 is fastest on a CPU, fp16 on a GPU.
PACKAGED_MODELS = {"cpu": "pneumo-resnet50-int8.onnx", "cuda": "pneumo-resnet50-fp16.onnx"}
OUTPUTS = ("probability", "logit", "heatmap", "domain_distance")
HEATMAP_SIDES = range(7, 29)  # cells along a side of a heatmap, which is square
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
    """A named decision threshold and what it was measured to do.

    Attributes
    ----------
    threshold
        A film is called PNEUMONIA from this calibrated probability on.
    sensitivity, specificity
        On the set named by `chosen_on`, each with its 95 % Wilson interval (Wilson, JASA 22, 1927).
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
    """What a model file says of itself.

    Attributes
    ----------
    path
        The ONNX file.
    domain_limit
        A film whose `domain_distance` is above it is not of the kind the model knows.
    uncertain_band
        Films with probabilities between these need review; None where the model has no such band.
    metadata
        Every `pneumo.*` entry of the file as it stands there, without the prefix.
    """

    path: Path
    operating_points: Mapping[str, OperatingPoint]
    default_operating_point: str
    domain_limit: float
    uncertain_band: tuple[float, float] | None
    metadata: Mapping[str, str]

    def operating_point(self, name: str | None = None) -> OperatingPoint:
        """Look up an operating point, the default one without a name.

        Raises
        ------
        ModelError
            The model has no such operating point.
        """
        wanted = self.default_operating_point if name is None else name
        try:
            return self.operating_points[wanted]
        except KeyError:
            known = ", ".join(sorted(self.operating_points))
            raise ModelError(
                self.path.name, f"has no operating point {wanted!r}", f"choose one of {known}, or a number from 0 to 1"
            ) from None


def packaged_models() -> dict[str, Path]:
    """Find the files of the model that ships, by device: in the wheel inside the package, in a checkout in models/.

    Raises
    ------
    ModelError
        The installation is incomplete.
    """
    package = Path(__file__).parents[1]
    folder = next((f for f in (package / "models", package.parent / "models") if f.is_dir()), package)
    files = {device: folder / name for device, name in PACKAGED_MODELS.items()}
    for path in files.values():
        if not path.is_file() or listed_digest(path) is None:
            raise ModelError(path.name, "is missing from this installation", "install pneumo-infer again")
    return files


def parse_model(
    path: Path,
    inputs: Mapping[str, tuple[str, list[Any]]],
    outputs: Mapping[str, tuple[str, list[Any]]],
    metadata: Mapping[str, str],
) -> ModelInfo:
    """Hold a graph's inputs, outputs and metadata against the contract, and read them.

    Parameters
    ----------
    inputs, outputs
        Name to (type, shape), as onnxruntime names types: `tensor(uint8)`.
    metadata
        The file's `metadata_props`.

    Raises
    ------
    ModelError
        The file is of another schema, or something that the contract asks for is missing or malformed.
    """
    entries = {key.removeprefix("pneumo."): value for key, value in metadata.items() if key.startswith("pneumo.")}
    _check_schema(path, entries)
    _check_graph(path, inputs, outputs)
    try:
        if tuple(json.loads(entries["labels"])) != LABELS:
            raise ModelError(path.name, f"has the labels {entries['labels']}", f"this version reads {list(LABELS)}")
        points = {
            name: _operating_point(name, entry) for name, entry in json.loads(entries["operating_points"]).items()
        }
        model = ModelInfo(
            path=path,
            operating_points=points,
            default_operating_point=entries["default_operating_point"],
            domain_limit=float(json.loads(entries["domain_limit"])),
            uncertain_band=_band(json.loads(entries.get("uncertain_band", "null"))),
            metadata=entries,
        )
    except ModelError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            path.name, f"has malformed metadata ({error!r})", "export it again with pneumo-export"
        ) from error
    model.operating_point()
    return model


def _check_schema(path: Path, entries: Mapping[str, str]) -> None:
    if "schema" not in entries:
        raise ModelError(
            path.name, "carries no pneumo.schema, so it is no model of ours", "export it with pneumo-export"
        )
    if entries["schema"] != SCHEMA:
        raise ModelError(
            path.name,
            f"is of schema {entries['schema']}, this version reads {SCHEMA}",
            "install the matching pneumo-infer",
        )
    missing = [key for key in METADATA_KEYS if key not in entries]
    if missing:
        names = ", ".join(f"pneumo.{key}" for key in missing)
        raise ModelError(path.name, f"lacks the metadata {names}", "export it again with pneumo-export")


def _check_graph(
    path: Path, inputs: Mapping[str, tuple[str, list[Any]]], outputs: Mapping[str, tuple[str, list[Any]]]
) -> None:
    kind, shape = inputs.get("image", ("", []))
    if len(inputs) != 1 or kind != "tensor(uint8)" or shape[1:] != [224, 224, 1] or isinstance(shape[0], int):
        raise ModelError(path.name, f"takes {dict(inputs)}", "a model takes one input, image uint8 [N, 224, 224, 1]")
    for name in OUTPUTS:
        if outputs.get(name, ("", []))[0] != "tensor(float)":
            raise ModelError(path.name, f"has no float32 output {name!r}", "export it again with pneumo-export")
    _, heatmap = outputs["heatmap"]
    if len(heatmap) != 3 or heatmap[1] != heatmap[2] or heatmap[1] not in HEATMAP_SIDES:
        sides = f"{HEATMAP_SIDES[0]} to {HEATMAP_SIDES[-1]}"
        raise ModelError(path.name, f"gives heatmaps of {heatmap}", f"a heatmap is [N, S, S] with S from {sides}")


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
