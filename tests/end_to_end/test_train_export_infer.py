"""The real programs from end to end: train on drawn films, export with proof, and classify with the result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tiny_training import TinyTraining, read_csv

from pneumo_infer import Classifier
from pneumo_train.recipe_files import read_recipe


def test_a_run_folder_is_complete(tiny_run: Path, tiny: TinyTraining) -> None:
    history = read_csv(tiny_run / "history.csv")
    assert [row["epoch"] for row in history] == [str(epoch) for epoch in range(1, 11)]
    assert [row["phase"] for row in history] == ["head"] * 8 + ["top"] * 2
    assert read_recipe(str(tiny_run / "recipe.toml")) == read_recipe(str(tiny.recipe))
    assert len(read_csv(tiny_run / "split.csv")) == 80
    described = json.loads((tiny_run / "model.json").read_text())
    assert described["default_operating_point"] in described["operating_points"]
    assert described["weights"]["licence"] == "see the weights file"
    assert described["rounding"]["largest_difference"] < 0.01
    predictions = read_csv(tiny_run / "predictions.csv")
    assert {row["split"] for row in predictions} == {"validation", "test"}
    with Image.open(tiny_run / "curves.png") as curves:
        assert curves.width > 800
    assert len(list((tiny_run / "checkpoints").iterdir())) <= 2


def test_the_drawn_films_are_learned(tiny_run: Path) -> None:
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    assert metrics["validation"]["auc"] > 0.95
    assert metrics["test"]["auc"] > 0.95


def test_the_files_are_proved_and_described(exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == [
        "MODEL_CARD.md",
        "SHA256SUMS",
        "figures",
        "metrics.json",
        "parity.json",
        "pneumo-resnet50-fp16.onnx",
        "pneumo-resnet50-fp32.onnx",
        "pneumo-resnet50-int8.onnx",
    ]
    parity = json.loads((exported / "parity.json").read_text())
    assert {name: all(gate["passed"] for gate in proof["gates"]) for name, proof in parity.items()} == {
        "fp32": True,
        "fp16": True,
        "int8": True,
    }
    assert parity["fp32"]["gates"][0]["value"] <= 1e-5
    card = (exported / "MODEL_CARD.md").read_text()
    assert "Not a cleared medical device" in card
    assert parity["fp32"]["source"] in card


def test_sizes_follow_the_precision(exported: Path) -> None:
    sizes = {path.stem[-4:]: path.stat().st_size for path in exported.glob("*.onnx")}
    assert sizes["int8"] < 0.3 * sizes["fp32"]
    assert sizes["fp16"] < 0.52 * sizes["fp32"]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_inference_agrees_with_training(exported: Path, tiny_run: Path, tiny: TinyTraining, precision: str) -> None:
    classifier = Classifier(exported / f"pneumo-resnet50-{precision}.onnx", device="cpu")
    rows = read_csv(tiny_run / "predictions.csv")
    predictions = list(classifier.predict_many([tiny.data / row["path"] for row in rows]))
    tolerance = {"fp32": 1e-5, "fp16": 0.01, "int8": 0.2}[precision]
    for row, prediction in zip(rows, predictions, strict=True):
        assert prediction.probability == pytest.approx(float(row["probability"]), abs=tolerance)
    assert sum(p.label == row["label"] for row, p in zip(rows, predictions, strict=True)) >= 0.85 * len(rows)


def test_the_command_line_takes_the_exported_model(exported: Path, tiny: TinyTraining) -> None:
    model = exported / "pneumo-resnet50-int8.onnx"
    command = [sys.executable, "-m", "pneumo_infer", "--json", "--model", model, tiny.data / "train" / "NORMAL"]
    records = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert {record["model"] for record in records} == {"pneumo-resnet50-int8.onnx"}
    assert len(records) == 40
