"""What is known about a model, and where the packaged models are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pneumo_infer.errors import ModelError
from pneumo_infer.films.dicom.header import Population
from pneumo_infer.model.checksum import Provenance

LABELS = ("NORMAL", "PNEUMONIA")
# int8 is fastest on a CPU, fp16 on a GPU.
PACKAGED_MODELS = {"cpu": "pneumo-resnet50-int8.onnx", "cuda": "pneumo-resnet50-fp16.onnx"}
OUTPUTS = ("probability", "logit", "heatmap", "domain_distance")
EXPORT_AGAIN = "export it again with pneumo-export"
HEATMAP_SIDES = range(7, 29)  # cells along each side of the square heatmap


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
    sha256
        Digest of the content that was loaded, hexadecimal.
    provenance
        What vouches for the file: `released`, `listed` or `unverified`.
    heatmap_side
        Height and width of its heatmaps, in cells.
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
    sha256: str
    provenance: Provenance
    heatmap_side: int
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
        if not path.is_file():
            raise ModelError(path.name, "missing from this installation", "reinstall pneumo-infer")
    return files
