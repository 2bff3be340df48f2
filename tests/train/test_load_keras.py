"""Keras files that would run code are refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import keras
import pytest
from packaging.requirements import Requirement

from pneumo_train.model.load_keras import load_keras

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def with_code(tmp_path: Path) -> Path:
    """A file with a layer whose Python code leaves a trace."""
    trace = str(tmp_path / "trace")
    layer = keras.layers.Lambda(lambda x: (open(trace, "w").close(), x)[1])  # noqa: PTH123
    keras.Sequential([keras.Input((1,)), layer]).save(tmp_path / "model.keras")
    Path(trace).unlink()
    return tmp_path / "model.keras"


def test_code_in_a_file_is_not_run(with_code: Path) -> None:
    with pytest.raises(ValueError, match="unsafe"):
        load_keras(with_code)
    assert not with_code.with_name("trace").exists()


def test_other_formats_are_not_opened(with_code: Path) -> None:
    with pytest.raises(ValueError, match=r"does not end in \.keras"):
        load_keras(with_code.with_suffix(".h5"))


# The last versions before the fixes of CVE-2025-1550; CVE-2025-8747, 9906 and 9905; CVE-2026-1462; CVE-2026-12480.
@pytest.mark.parametrize("version", ["3.8.0", "3.10.0", "3.11.2", "3.13.1", "3.14.0"])
def test_versions_of_keras_with_known_holes_are_not_allowed(version: str) -> None:
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (requirement,) = [entry for entry in map(Requirement, extras["train"]) if entry.name == "keras"]
    assert version not in requirement.specifier
    assert keras.__version__ in requirement.specifier
