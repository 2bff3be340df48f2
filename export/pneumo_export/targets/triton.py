"""A model repository for the Triton inference server: one folder with a configuration for each precision.

NVIDIA, "Model Repository" and "Model Configuration" in the Triton Inference Server user guide.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx

from pneumo_export.convert import heatmap_side
from pneumo_export.errors import ExportError
from pneumo_export.parity.proof import Proof
from pneumo_export.pipeline import export_onnx
from pneumo_infer.files.atomic_write import atomic_write
from pneumo_infer.model.checksum import CHECKSUMS
from pneumo_train.data.decode import DecodedFilms
from pneumo_train.model.trained import TrainedModel
from pneumo_train.release.publication import publish_files, staging

FOLDER = "triton"
VERSION = "1"
FILES = (f"{VERSION}/model.onnx", "MODEL_CARD.md", "config.pbtxt")  # of each model
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
        with staging(output) as staged:
            proofs = export_onnx(source, decoded, staged, precisions, least_films)
            for file in sorted(staged.glob("*.onnx")):
                model = _arrange(file, staged / "repository")
                publish_files(model, output / model.name, FILES, f"{VERSION}/{CHECKSUMS}")
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
