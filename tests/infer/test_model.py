"""Model files: what is read from them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_films import flat_film
from numpy.typing import NDArray
from small_models import METADATA, POINT, write_model

from pneumo_infer import Classifier, ModelError


def test_a_model_tells_its_operating_points(tmp_path: Path) -> None:
    model = Classifier(write_model(tmp_path / "m.onnx", METADATA), device="cpu").model
    assert model.operating_point().name == "balanced"
    assert model.operating_point("screening").threshold == 0.1
    assert model.operating_point().sensitivity_interval == (0.85, 0.95)
    assert model.domain_limit == 200


@pytest.mark.parametrize("key", sorted(METADATA))
def test_each_missing_entry_is_named(tmp_path: Path, key: str) -> None:
    metadata = {name: value for name, value in METADATA.items() if name != key}
    with pytest.raises(ModelError, match=f"pneumo.{key}"):
        Classifier(write_model(tmp_path / "m.onnx", metadata), device="cpu")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("schema", "2", "has schema 2, but this version supports schema 1"),
        ("labels", '["PNEUMONIA", "NORMAL"]', r"pneumo\.labels is \["),
        ("labels", "no json", r"pneumo\.labels is not valid JSON"),
        (
            "operating_points",
            json.dumps({"balanced": {"threshold": 0.5}}),
            r"operating_points\.balanced has no intervals",
        ),
        ("operating_points", json.dumps({"other": POINT}), "has no operating point 'balanced'"),
        ("preprocess", "{}", "expects preprocessing {}"),
        ("domain_limit", "null", r"pneumo\.domain_limit is None, expected a number"),
    ],
)
def test_entries_that_do_not_fit(tmp_path: Path, key: str, value: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        Classifier(write_model(tmp_path / "m.onnx", {**METADATA, key: value}), device="cpu")


def test_another_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected one uint8 input"):
        Classifier(write_model(tmp_path / "m.onnx", METADATA, shape=("N", 128, 128, 1)), device="cpu")
    with pytest.raises(ModelError, match="expected one uint8 input"):
        Classifier(write_model(tmp_path / "n.onnx", METADATA, shape=(1, 224, 224, 1)), device="cpu")


def test_a_missing_output_is_refused(tmp_path: Path) -> None:
    for missing in ("probability", "logit", "heatmap", "domain_distance"):
        outputs = [name for name in ("probability", "logit", "heatmap", "domain_distance") if name != missing]
        with pytest.raises(ModelError, match=f"no float32 output '{missing}'"):
            Classifier(write_model(tmp_path / "m.onnx", METADATA, outputs=outputs), device="cpu")


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"bad\.onnx: is not a valid ONNX file"):
        Classifier(path, device="cpu")
    with pytest.raises(ModelError, match="does not exist"):
        Classifier(tmp_path / "gone.onnx", device="cpu")


def test_domain_distance_is_held_against_the_limit(tmp_path: Path, film: NDArray[np.uint8]) -> None:
    for limit, in_domain in (("200", True), ("0", False)):
        path = write_model(tmp_path / "m.onnx", {**METADATA, "domain_limit": limit})
        prediction = Classifier(path, device="cpu").predict(film)
        assert prediction.in_domain is in_domain
        assert prediction.domain_distance is not None


@pytest.mark.parametrize(
    ("grey", "limit", "outcome", "reason"),
    [
        (133, 200, "PNEUMONIA", None),
        (123, 200, "NORMAL", None),
        (129, 200, "NEEDS_REVIEW", "uncertain"),
        (133, 4, "NEEDS_REVIEW", "out_of_domain"),
        (129, 0.5, "NEEDS_REVIEW", "out_of_domain"),
    ],
)
def test_what_is_uncertain_or_out_of_domain_needs_review(
    tmp_path: Path, grey: int, limit: float, outcome: str, reason: str | None
) -> None:
    metadata = {**METADATA, "domain_limit": str(limit), "uncertain_band": json.dumps({"low": 0.2, "high": 0.8})}
    prediction = Classifier(write_model(tmp_path / "m.onnx", metadata), device="cpu").predict(flat_film(grey))
    assert (prediction.outcome, prediction.reason) == (outcome, reason)
    assert prediction.label == ("PNEUMONIA" if grey > 128 else "NORMAL")


@pytest.mark.parametrize("side", [7, 14, 28])
def test_the_heatmap_has_the_evidence_in_its_place(tmp_path: Path, side: int) -> None:
    cell = 224 // side
    film = np.zeros((224, 224), np.uint8)
    film[:cell, -cell:] = 200
    classifier = Classifier(write_model(tmp_path / "m.onnx", METADATA, heatmap_side=side), device="cpu")
    predictions = [classifier.predict(film), *classifier.predict_many([film])]
    for heatmap in [prediction.heatmap for prediction in predictions]:
        assert heatmap is not None
        assert heatmap.shape == (side, side)
        assert heatmap[0, -1] == 200
        assert heatmap.sum() == 200


@pytest.mark.parametrize("side", [7, 14, 28])
def test_the_overlay_colours_the_place_of_the_evidence(tmp_path: Path, side: int) -> None:
    film = np.full((224, 224), 160, np.uint8)
    film[:32, -32:] = 220
    classifier = Classifier(write_model(tmp_path / "m.onnx", METADATA, heatmap_side=side), device="cpu")
    picture = np.asarray(classifier.predict(film).overlay(film), np.int16)[:224]
    coloured = np.abs(picture[:, :, 0] - picture[:, :, 2])
    assert coloured[8:24, 200:216].mean() > 2 * coloured[100:, :100].mean()


@pytest.mark.parametrize("side", [4, 32])
def test_a_heatmap_of_too_few_or_too_many_cells_is_refused(tmp_path: Path, side: int) -> None:
    path = write_model(tmp_path / "m.onnx", METADATA, heatmap_side=side)
    with pytest.raises(ModelError, match=r"has heatmaps of shape .* S from 7 to 28"):
        Classifier(path, device="cpu")
