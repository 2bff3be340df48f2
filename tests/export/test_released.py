"""The digests of released models go into the package with the export to its own folder of models, and with no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from pneumo_export.released import record_digests
from pneumo_infer.model.checksum import CHECKSUMS


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    clone = tmp_path / "clone"
    for folder in ("models", "pneumo_infer/model", "runs"):
        (clone / folder).mkdir(parents=True)
    for folder in ("models", "runs"):
        (clone / folder / CHECKSUMS).write_text(f"{'0' * 64}  {folder}.onnx\n")
    return clone


def test_an_export_to_the_models_of_a_clone(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone)
    assert record_digests(Path("models"), clone / "pneumo_infer")
    released = clone / "pneumo_infer" / "model" / "released.sha256"
    assert released.read_text() == (clone / "models" / CHECKSUMS).read_text()


def test_an_export_to_another_folder(clone: Path) -> None:
    assert not record_digests(clone / "runs", clone / "pneumo_infer")
    assert not list((clone / "pneumo_infer" / "model").iterdir())
