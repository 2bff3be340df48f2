"""Training and evaluation measure style, given films of enough patients."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import TinyTraining

FIGURES = {"style_auc", "threshold", "typical", "atypical", "correlation"}


@pytest.fixture(scope="module")
def run(light: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with 28 patients of each class in training, and 6 in validation and test."""
    folder = tmp_path_factory.mktemp("runs") / "style"
    settings = ["split.validation=0.15", "split.test=0.15", "fit.epochs=1"]
    options = [word for setting in settings for word in ("--set", setting)]
    subprocess.run([*light.command(folder), *options], check=True, capture_output=True)
    return folder


def test_the_description_has_the_figures_and_not_the_scores(run: Path) -> None:
    described = json.loads((run / "model.json").read_text())
    style = described["style"]
    assert style.keys() == {"measured_on", *FIGURES}
    assert style["measured_on"] == "test"
    assert style["threshold"] == described["operating_points"]["balanced"]["threshold"]
    films = [style[group]["films"] for group in ("typical", "atypical")]
    assert sum(count for group in films for count in group.values()) == described["metrics"]["test"]["films"]
    assert len(json.dumps(style)) < 2000


def test_an_evaluation_measures_the_style_of_the_films_given(run: Path, light: TinyTraining, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pneumo_train", "evaluate", "--model", run / "model.keras", "--data", light.data]
    options = ["--split", "all", "--no-corruptions", "--cache", light.cache, "--output", tmp_path]
    subprocess.run([*command, *options], check=True, capture_output=True)
    style = json.loads((tmp_path / "metrics.json").read_text())["style"]
    assert style.keys() == FIGURES
    films = [style[group]["films"] for group in ("typical", "atypical")]
    assert {label: sum(group[label] for group in films) for label in films[0]} == {"NORMAL": 40, "PNEUMONIA": 40}
    page = (tmp_path / "report.html").read_text()
    assert "Acquisition style" in page
    assert "logit against its style score" in page
