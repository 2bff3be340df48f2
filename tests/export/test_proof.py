"""Files that differ from Keras are not written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from staged import Staged, scale_largest_weights, tamper
from tiny_training import TinyTraining

from pneumo_export.errors import ExportError, GraphError, ParityError
from pneumo_export.parity.gates import Gate
from pneumo_export.parity.keras_reference import keras_reference
from pneumo_export.parity.proof import prove
from pneumo_export.pipeline import parity_films, publish
from pneumo_infer import Classifier
from pneumo_infer.drift.comparison import compare
from pneumo_infer.drift.reference import read_reference
from pneumo_infer.model.checksum import CHECKSUMS, file_digest
from pneumo_train.data.batches import training_films
from pneumo_train.training.films import read_split


def test_untouched_files_pass_and_get_their_names(staged: Staged, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    proofs = publish(staged.files, staged.source, staged.films, staged.folder, output)
    assert [proof.precision for proof in proofs] == ["fp32", "fp16", "int8"]
    names = [f"pneumo-resnet50-{precision}.onnx" for precision in ("fp16", "fp32", "int8")]
    assert sorted(path.name for path in output.glob("*.onnx")) == names
    assert (output / CHECKSUMS).read_text() == "".join(f"{file_digest(output / name)}  {name}\n" for name in names)
    metadata = {p.key: p.value for p in onnx.load(output / "pneumo-resnet50-int8.onnx").metadata_props}
    assert metadata["pneumo.source_sha256"] == staged.source.sha256
    assert 0 < float(metadata["pneumo.domain_limit"]) < 1000


def test_files_carry_what_they_answer_on_validation_films(made: Staged, tiny_run: Path) -> None:
    validation = training_films(read_split(tiny_run))
    rows = validation.rows["validation"]
    for precision, file in made.files.items():
        classifier = Classifier(file, device="cpu")
        reference = read_reference(classifier.model)
        ill = int(validation.targets[rows].sum())
        assert (reference.normal, reference.pneumonia) == (len(rows) - ill, ill)
        answers = list(classifier.predict_many(validation.pixels[rows, :, :, 0]))
        distances = [answer.domain_distance for answer in answers if answer.domain_distance is not None]
        assert np.median(distances) == pytest.approx(reference.domain_distance.quantiles[1], rel=1e-3), precision
        assert reference.out_of_domain == sum(not answer.in_domain for answer in answers)
        drift = compare([answer.probability or 0.0 for answer in answers], distances, reference, 1e6)
        assert drift.measures["domain_distance"].value < 0.01
        assert drift.measures["probability"].value < 0.01


def test_a_graph_with_other_weights_is_refused_and_earlier_files_stay(staged: Staged, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "pneumo-resnet50-fp32.onnx").write_text("an earlier release")
    tamper(staged.files["fp32"], lambda proto: scale_largest_weights(proto, 1.05))
    with pytest.raises(ParityError, match=r"fp32: differs from Keras on .* differences: .*\.jpeg 0\.\d+ -> 0\.\d+"):
        publish(staged.files, staged.source, staged.films, staged.folder, output)
    assert [path.name for path in output.iterdir()] == ["pneumo-resnet50-fp32.onnx"]
    assert (output / "pneumo-resnet50-fp32.onnx").read_text() == "an earlier release"


def test_a_graph_that_answers_the_other_way_round_is_refused(staged: Staged, tmp_path: Path) -> None:
    def turn(proto: onnx.ModelProto) -> None:
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in proto.graph.node]
        at = next(position for position, node in enumerate(nodes) if node.op_type == "Sigmoid")
        nodes.insert(at, onnx.helper.make_node("Neg", [nodes[at].input[0]], ["turned"]))
        nodes[at + 1].input[0] = "turned"
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)

    tamper(staged.files["int8"], turn)
    with pytest.raises(ParityError, match=r"int8: differs from Keras .* difference of auc"):
        publish(staged.files, staged.source, staged.films, staged.folder, tmp_path)


def rename_output(proto: onnx.ModelProto) -> None:
    for node in proto.graph.node:
        node.output[:] = ["score" if name == "probability" else name for name in node.output]
    next(value for value in proto.graph.output if value.name == "probability").name = "score"


def fix_batch(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def newer_opset(proto: onnx.ModelProto) -> None:
    proto.opset_import[0].version = 21


def drop_node(proto: onnx.ModelProto) -> None:
    del proto.graph.node[5]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (rename_output, "has inputs and outputs"),
        (fix_batch, "has inputs and outputs"),
        (newer_opset, "opset 21|not a valid ONNX"),
        (drop_node, "not a valid ONNX graph"),
    ],
)
def test_graphs_that_break_the_contract_are_refused(
    staged: Staged, tmp_path: Path, change: Callable[[onnx.ModelProto], None], problem: str
) -> None:
    tamper(staged.files["fp32"], change)
    with pytest.raises(GraphError, match=problem):
        publish(staged.files, staged.source, staged.films, staged.folder, tmp_path)
    assert not list(tmp_path.glob("*.onnx"))


def test_a_proof_reports_what_it_saw(made: Staged) -> None:
    reference = keras_reference(made.source, made.films.pixels)
    proof = prove(made.files["fp32"], "fp32", reference, made.films)
    assert proof.passed
    assert proof.films == len(made.films.paths)
    assert proof.worst[0]["path"] in {path.name for path in made.films.paths}
    shifted = replace(
        reference,
        probabilities=reference.probabilities + np.where(reference.probabilities < 0.5, 1e-3, -1e-3).astype(np.float32),
        distances=reference.distances * np.float32(1.01),
        heatmaps=reference.heatmaps[:, ::-1],
    )
    proof = prove(made.files["fp32"], "fp32", shifted, made.films)
    gates = {gate.name.partition(":")[0]: gate for gate in proof.gates}
    assert gates["largest difference of a probability"].value == pytest.approx(1e-3, rel=0.05)
    assert gates["largest relative difference of a domain distance"].value == pytest.approx(0.01, rel=0.05)
    failed = [name for name, gate in gates.items() if not gate.passed]
    assert {"largest difference of a probability", "heatmaps"} < set(failed)


def test_a_gate_without_a_number_does_not_pass() -> None:
    assert not Gate("difference", float("nan"), 1.0).passed


def test_too_few_films_are_refused(tiny: TinyTraining, tiny_run: Path) -> None:
    decoded = read_split(tiny_run)
    with pytest.raises(ExportError, match="too few for the parity check, which needs 256"):
        parity_films(decoded, least_films=256)
    assert parity_films(decoded, least_films=40).source == "validation and test"


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pneumo_export", "--to", "onnx", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_what_cannot_be_exported(tmp_path: Path, tiny_run: Path) -> None:
    nothing = run(cwd=tmp_path)
    assert nothing.returncode == 2
    assert "contains no finished run" in nothing.stderr
    (tmp_path / "model.keras").write_text("no model")
    undescribed = run("--model", tmp_path / "model.keras")
    assert undescribed.returncode == 2
    assert "model.json: cannot be read" in undescribed.stderr
    (tmp_path / "model.json").write_bytes((tiny_run / "model.json").read_bytes())
    damaged = run("--model", tmp_path / "model.keras")
    assert damaged.returncode == 2
    assert "not a Keras model" in damaged.stderr
