"""Model files: what is read from them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_models import METADATA, POINT, write_model

from pneumo_infer import Classifier, ModelError


def test_a_model_tells_its_operating_points(tmp_path: Path) -> None:
    model = Classifier(write_model(tmp_path / "m.onnx", METADATA), device="cpu").model
    assert model.operating_point().name == "balanced"
    assert model.operating_point("screening").threshold == 0.1
    assert model.operating_point().sensitivity_interval == (0.85, 0.95)
    assert model.domain_limit is None


@pytest.mark.parametrize("key", sorted(METADATA))
def test_each_missing_entry_is_named(tmp_path: Path, key: str) -> None:
    metadata = {name: value for name, value in METADATA.items() if name != key}
    with pytest.raises(ModelError, match=f"pneumo.{key}"):
        Classifier(write_model(tmp_path / "m.onnx", metadata), device="cpu")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("schema", "2", "is of schema 2, this version reads 1"),
        ("labels", '["PNEUMONIA", "NORMAL"]', "has the labels"),
        ("labels", "no json", "malformed metadata"),
        ("operating_points", json.dumps({"balanced": {"threshold": 0.5}}), "malformed metadata"),
        ("operating_points", json.dumps({"other": POINT}), "has no operating point 'balanced'"),
        ("preprocess", "{}", "prepared as {}"),
    ],
)
def test_entries_that_do_not_fit(tmp_path: Path, key: str, value: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        Classifier(write_model(tmp_path / "m.onnx", {**METADATA, key: value}), device="cpu")


def test_another_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="takes"):
        Classifier(write_model(tmp_path / "m.onnx", METADATA, shape=("N", 128, 128, 1)), device="cpu")
    with pytest.raises(ModelError, match="takes"):
        Classifier(write_model(tmp_path / "n.onnx", METADATA, shape=(1, 224, 224, 1)), device="cpu")


def test_a_missing_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no float32 output 'logit'"):
        Classifier(write_model(tmp_path / "m.onnx", METADATA, outputs=["probability"]), device="cpu")


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"bad\.onnx: cannot be loaded"):
        Classifier(path, device="cpu")
    with pytest.raises(ModelError, match="does not exist"):
        Classifier(tmp_path / "gone.onnx", device="cpu")


def test_domain_distance_is_held_against_the_limit(tmp_path: Path, film) -> None:  # type: ignore[no-untyped-def]
    outputs = ["probability", "logit", "domain_distance"]
    for limit, in_domain in (("200", True), ("0", False), ("null", None)):
        path = write_model(tmp_path / "m.onnx", {**METADATA, "domain_limit": limit}, outputs=outputs)
        prediction = Classifier(path, device="cpu").predict(film)
        assert prediction.in_domain is in_domain
        assert prediction.domain_distance is not None
