"""A model file that was altered is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import METADATA, write_model

from pneumo_infer import Classifier, ModelError
from pneumo_infer.model import graph
from pneumo_infer.model.checksum import CHECKSUMS, RELEASED, file_digest, read_checksums
from pneumo_infer.model.info import packaged_models


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "m.onnx", METADATA)


def list_digest(model: Path, separator: str = "  ") -> None:
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    model.with_name(CHECKSUMS).write_text(f"{'0' * 64}  other.onnx\n{digest}{separator}{model.name}\n")


@pytest.mark.parametrize("separator", ["  ", " *"])
def test_the_file_that_is_listed_is_taken(model: Path, separator: str) -> None:
    list_digest(model, separator)
    assert Classifier(model, device="cpu").model.path == model


def test_one_flipped_bit_is_refused(model: Path) -> None:
    list_digest(model)
    content = bytearray(model.read_bytes())
    content[content.index(b"research" if b"research" in content else b"tests")] ^= 1
    model.write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.onnx: is not the file that was released"):
        Classifier(model, device="cpu")


def test_digests_in_upper_case(model: Path) -> None:
    listing = model.with_name(CHECKSUMS)
    list_digest(model)
    listing.write_text(listing.read_text().upper().replace("M.ONNX", "m.onnx"))
    assert Classifier(model, device="cpu").model.provenance == "listed"


def test_a_file_that_is_not_listed_is_unverified(model: Path) -> None:
    assert Classifier(model, device="cpu").model.provenance == "unverified"
    model.with_name(CHECKSUMS).write_text(f"{'0' * 64}  other.onnx\n")
    assert Classifier(model, device="cpu").model.provenance == "unverified"


@pytest.mark.parametrize("provenance", ["unverified", "listed", "released"])
def test_info_and_records_say_what_vouches_for_a_model(model: Path, provenance: str) -> None:
    if provenance == "listed":
        list_digest(model)
    command = [sys.executable, "-m", "pneumo_infer", "--device", "cpu"]
    command += [] if provenance == "released" else ["--model", str(model)]
    outputs = [
        subprocess.run([*command, *more], capture_output=True, text=True, check=True)
        for more in (["--info", "--json"], ["--info", "--json", "--demo"], ["--demo"])
    ]
    described, records = outputs[0].stdout, outputs[1].stdout.splitlines()[1:]
    assert json.loads(described)["model provenance"] == provenance
    assert {record["model_provenance"] for record in json.loads("\n".join(records))} == {provenance}
    assert ("m.onnx (unverified) on cpu" in outputs[2].stderr) == (provenance == "unverified")


def test_what_is_hashed_is_what_is_loaded(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = file_digest(model)

    def replace_the_file(content: bytes, name: str) -> None:
        write_model(model, {**METADATA, "version": "another"})

    monkeypatch.setattr(graph, "check_content", replace_the_file)
    opened = Classifier(model, device="cpu").model
    assert file_digest(model) != digest
    assert (opened.sha256, opened.metadata["version"]) == (digest, METADATA["version"])


def test_a_list_that_cannot_be_read(model: Path) -> None:
    model.with_name(CHECKSUMS).write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=f"{CHECKSUMS}: cannot be read"):
        Classifier(model, device="cpu")


def test_the_package_and_the_models_agree() -> None:
    listing = packaged_models()["cpu"].with_name(CHECKSUMS)
    remedy = "after a new model was copied to models/, run: python -m pneumo_export.released"
    assert RELEASED.read_text() == listing.read_text(), remedy
    for packaged in packaged_models().values():
        assert read_checksums(RELEASED).digests[packaged.name] == file_digest(packaged), remedy


def test_a_packaged_model_replaced_with_its_list_is_refused(tmp_path: Path) -> None:
    package = RELEASED.parents[1]
    shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__", "models"))
    (tmp_path / "models").mkdir()
    for packaged in packaged_models().values():
        list_digest(write_model(tmp_path / "models" / packaged.name, METADATA))
    command = [sys.executable, "-m", "pneumo_infer", "--device", "cpu", "--demo"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 2
    assert "differs from the one in this version of pneumo-infer" in done.stderr


def test_the_command_line_refuses_an_altered_packaged_model(tmp_path: Path) -> None:
    packaged = packaged_models()["cpu"]
    altered = tmp_path / packaged.name
    content = bytearray(packaged.read_bytes())
    content[len(content) // 2] ^= 1
    altered.write_bytes(content)
    (tmp_path / CHECKSUMS).write_bytes(packaged.with_name(CHECKSUMS).read_bytes())
    command = [sys.executable, "-m", "pneumo_infer", "--device", "cpu", "--model", altered, "--demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is not the file that was released" in done.stderr
