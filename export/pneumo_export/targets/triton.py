"""A model repository for the Triton inference server: one folder with a configuration for each precision.

NVIDIA, "Model Repository" and "Model Configuration" in the Triton Inference Server user guide.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import onnx

from pneumo_export.convert import heatmap_side
from pneumo_export.errors import ExportError
from pneumo_export.parity.proof import Proof
from pneumo_export.pipeline import export_onnx
from pneumo_infer.atomic_write import atomic_write
from pneumo_train.data.decode import DecodedFilms
from pneumo_train.model.trained import TrainedModel

FOLDER = "triton"
VERSION = "1"
# Triton adds the batch dimension. An output with one value per film has no other, so it is reshaped to none.
PER_FILM = "dims: [ 1 ] reshape { shape: [ ] }"
CONFIGURATION = """\
name: "{name}"
backend: "onnxruntime"
max_batch_size: 64
input [
  {{ name: "image" data_type: TYPE_UINT8 dims: [ 224, 224, 1 ] }}
]
output [
  {{ name: "probability" data_type: TYPE_FP32 {per_film} }},
  {{ name: "logit" data_type: TYPE_FP32 {per_film} }},
  {{ name: "domain_distance" data_type: TYPE_FP32 {per_film} }},
  {{ name: "heatmap" data_type: TYPE_FP32 dims: [ {side}, {side} ] }}
]
dynamic_batching {{
  preferred_batch_size: [ 8, 16, 32 ]
  max_queue_delay_microseconds: 5000
}}
instance_group [
  {{ kind: {kind} count: 1 }}
]
"""


def export(
    source: TrainedModel, decoded: DecodedFilms, output: Path, precisions: tuple[str, ...], least_films: int
) -> list[Proof]:
    """Export to ONNX and arrange the checked files as a model repository.

    Raises
    ------
    GraphError, ParityError, ExportError
        As for `export_onnx`; the repository is unchanged.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=".triton-") as folder:
            staged = Path(folder)
            proofs = export_onnx(source, decoded, staged, precisions, least_films)
            for file in sorted(staged.glob("*.onnx")):
                _publish(_arrange(file, staged / "repository"), output)
    except OSError as error:
        raise ExportError(str(output), f"cannot be written ({error.strerror})", "choose another --output") from error
    return proofs


def _arrange(file: Path, repository: Path) -> Path:
    model = repository / file.stem
    side = heatmap_side(onnx.load(file, load_external_data=False))
    (model / VERSION).mkdir(parents=True)
    file.rename(model / VERSION / "model.onnx")
    shutil.copy(file.with_name("MODEL_CARD.md"), model)
    with atomic_write(model / "config.pbtxt") as configuration:
        kind = "KIND_GPU" if file.stem.endswith("fp16") else "KIND_CPU"
        configuration.write(CONFIGURATION.format(name=model.name, per_film=PER_FILM, kind=kind, side=side))
    return model


def _publish(model: Path, output: Path) -> None:
    published, earlier = output / model.name, model.with_name(f"{model.name}.earlier")
    if published.exists():
        published.rename(earlier)
    model.rename(published)
