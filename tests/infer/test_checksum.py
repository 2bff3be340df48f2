"""A model file that was altered is refused."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import METADATA, write_model

from pneumo_infer import Classifier, ModelError
from pneumo_infer.model.checksum import CHECKSUMS, file_digest
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


def test_a_file_that_is_not_listed_is_the_callers_own_business(model: Path) -> None:
    assert Classifier(model, device="cpu").threshold == 0.5
    model.with_name(CHECKSUMS).write_text(f"{'0' * 64}  other.onnx\n")
    assert Classifier(model, device="cpu").threshold == 0.5


def test_a_list_that_cannot_be_read(model: Path) -> None:
    model.with_name(CHECKSUMS).write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=f"{CHECKSUMS}: cannot be read"):
        Classifier(model, device="cpu")


def test_the_packaged_models_are_listed() -> None:
    for packaged in packaged_models().values():
        assert f"{file_digest(packaged)}  {packaged.name}\n" in packaged.with_name(CHECKSUMS).read_text()


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
