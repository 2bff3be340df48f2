"""The Triton model repository fits the schema of Triton."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig


@pytest.fixture(scope="module")
def repository(tiny_run: Path) -> Path:
    command = [sys.executable, "-m", "pneumo_export", "--to", "triton", "--precision", "fp32", "--least-films", "16"]
    subprocess.run([*command, "--model", tiny_run / "model.keras"], check=True, capture_output=True)
    return tiny_run / "triton"


def test_the_repository_is_laid_out_as_triton_reads_it(repository: Path) -> None:
    assert [path.name for path in repository.iterdir()] == ["pneumo-resnet50-fp32"]
    model = repository / "pneumo-resnet50-fp32"
    assert sorted(str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()) == [
        "1/SHA256SUMS",
        "1/model.onnx",
        "MODEL_CARD.md",
        "config.pbtxt",
    ]


def test_the_configuration_fits_the_schema_and_the_graph(repository: Path) -> None:
    model = repository / "pneumo-resnet50-fp32"
    config = text_format.Parse((model / "config.pbtxt").read_text(), ModelConfig())
    assert config.name == model.name
    assert config.max_batch_size >= max(config.dynamic_batching.preferred_batch_size)
    session = onnxruntime.InferenceSession(model / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    film = np.zeros((1, 224, 224, 1), np.uint8)
    answers = dict(zip((o.name for o in session.get_outputs()), session.run(None, {"image": film}), strict=True))
    assert {(entry.name, tuple(entry.dims)) for entry in config.input} == {("image", film.shape[1:])}
    assert {entry.name for entry in config.output} == set(answers)
    for entry in config.output:
        # Triton adds the batch to what the graph gives, and shows `dims` to its clients.
        in_graph = tuple(entry.reshape.shape) if entry.HasField("reshape") else tuple(entry.dims)
        assert answers[entry.name].shape[1:] == in_graph
