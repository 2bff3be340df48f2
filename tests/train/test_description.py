"""Errors in a model's description name the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pneumo_infer import ModelError
from pneumo_train.model.description import ModelDescription
from pneumo_train.model.file_description import FileDescription
from pneumo_train.model.trained import read_description


@pytest.fixture
def values(tiny_run: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((tiny_run / "model.json").read_text())
    return values


def test_a_description_is_read_as_it_was_written(tiny_run: Path, values: dict[str, Any]) -> None:
    assert read_description(tiny_run / "model.keras").to_json() == values


def test_a_missing_field_is_named(values: dict[str, Any]) -> None:
    del values["metrics"]["validation"]["operating_points"]["balanced"]["threshold"]
    with pytest.raises(ModelError, match=r"metrics\.validation\.operating_points\.balanced\.threshold .*required"):
        ModelDescription.checked("model.json", values)


def test_an_unknown_field_is_named(values: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"ood\.radius"):
        ModelDescription.checked("model.json", values | {"ood": values["ood"] | {"radius": 1}})


def test_a_description_of_another_schema_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="schema"):
        ModelDescription.checked("model.json", values | {"schema": 2})


def test_metadata_without_an_entry_is_refused(values: dict[str, Any]) -> None:
    entries = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    assert FileDescription.from_metadata("m.onnx", entries).data.films == values["data"]["films"]
    with pytest.raises(ModelError, match=r"no metadata entry pneumo\.calibration"):
        FileDescription.from_metadata("m.onnx", {k: v for k, v in entries.items() if k != "calibration"})
    with pytest.raises(ModelError, match="malformed metadata"):
        FileDescription.from_metadata("m.onnx", entries | {"labels": "NORMAL"})
