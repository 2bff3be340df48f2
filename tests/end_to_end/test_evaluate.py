"""pneumo-train evaluate uses films that the model was not trained on, and reports which."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_films import write_chest_xray
from sklearn.metrics import roc_auc_score
from tiny_training import TinyTraining, read_csv

from pneumo_infer.printable import printable


def evaluate(model: Path, data: Path, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pneumo_train", "evaluate", "--model", model, "--data", data, "--output", output]
    cache = ["--cache", str(output.parent / "cache")]
    return subprocess.run([*command, *cache, *options], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def measured(tiny: TinyTraining, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("measured") / "keras"
    done = evaluate(tiny_run / "model.keras", tiny.data, output)
    assert done.returncode == 0, done.stderr
    assert "the test films of the model's own split" in " ".join(done.stderr.split())
    return output


def test_only_the_test_films_are_measured(tiny_run: Path, measured: Path) -> None:
    metrics = json.loads((measured / "metrics.json").read_text())
    predicted = [row for row in read_csv(tiny_run / "predictions.csv") if row["split"] == "test"]
    assert metrics["films"] == len(predicted)
    targets = np.array([row["label"] == "PNEUMONIA" for row in predicted])
    assert metrics["auc"] == pytest.approx(roc_auc_score(targets, [float(row["probability"]) for row in predicted]))
    trained = json.loads((tiny_run / "metrics.json").read_text())["test"]
    assert metrics["operating_points"].keys() == trained["operating_points"].keys()
    for name, point in trained["operating_points"].items():
        assert metrics["operating_points"][name]["counts"] == point["counts"]


def test_the_figures_are_complete(measured: Path) -> None:
    metrics = json.loads((measured / "metrics.json").read_text())
    assert metrics["intervals"].keys() == {"auc", "average_precision", "f1"}
    assert metrics["kinds"]["viral"]["films"] == metrics["classes"]["PNEUMONIA"]
    assert metrics["calibration"].keys() == {"before", "after"}
    assert metrics["uncertain"]["low"] <= metrics["uncertain"]["high"]
    assert len(metrics["corruptions"]) >= 10
    counts = metrics["operating_points"]["balanced"]["counts"]
    assert len(metrics["false_negatives"]) == counts["false_negative"]
    assert len(metrics["false_positives"]) == counts["false_positive"]
    for name, figure in metrics["worst_corruptions"].items():
        assert figure["value"] == metrics["corruptions"][figure["corruption"]][name]
        assert figure["value"] == min(row[name] for row in metrics["corruptions"].values())


def test_the_report_stands_alone(measured: Path) -> None:
    page = (measured / "report.html").read_text()
    assert not re.search(r"(src|href)=.(?!data:)", page)
    assert page.count("data:image/png;base64,") >= 10
    for heading in (
        "Decisions",
        "Calibration",
        "Corruptions",
        "Needs review: uncertain",
        "Heatmaps",
        "False negatives",
        "False positives",
        "TRIPOD+AI",
    ):
        assert heading in page
    assert "how much each cell of the last feature maps adds to the logit" in page


MARKUP = "[b]<script>|`a`&amp;\u202e\x1b[31m\n"  # as a part of a file name


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_films_of_another_hospital_are_all_measured(tiny_run: Path, tmp_path: Path) -> None:
    model = tmp_path / f"{MARKUP}.keras"
    for suffix in (".keras", ".json"):
        shutil.copy(tiny_run / f"model{suffix}", model.with_suffix(suffix))
    other = write_chest_xray(tmp_path / "other", patients=5)
    for film in sorted(other.rglob("*.jpeg")):
        film.rename(film.with_name(f"{film.stem}{MARKUP}.jpeg"))
    broken = f"{MARKUP}.png"
    (other / "train" / "NORMAL" / broken).write_bytes(b"no picture")
    done = evaluate(model, other, tmp_path / "out", "--no-corruptions", "--operating-point", "screening")
    assert done.returncode == 0, done.stderr
    assert "some of them may be training films of the model" in " ".join(done.stderr.split())
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["films"] == 10
    assert metrics["default_operating_point"] == "screening"
    assert list(metrics["unreadable"]) == [f"train/NORMAL/{broken}"]
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert "script" not in page.elements
    assert [line for line in page.text.split("\n") if line != printable(line)] == []
    wrong = [film["path"] for film in (*metrics["false_negatives"], *metrics["false_positives"])]
    for name in (*wrong, *metrics["unreadable"], metrics["model"]):
        assert printable(name) in page.text


def test_what_cannot_be_measured(tiny: TinyTraining, tiny_run: Path, tmp_path: Path) -> None:
    for model, options, problem in (
        (tmp_path / "gone.keras", [], "cannot be read"),
        (tiny_run / "model.keras", ["--operating-point", "best"], "has no operating point 'best'; choose one of"),
    ):
        done = evaluate(model, tiny.data, tmp_path / "out", *options)
        assert done.returncode == 2
        assert problem in done.stderr
    assert not (tmp_path / "out").exists()


def test_split_folders_are_kept_to_in_training(light: TinyTraining, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pneumo_train"]
    assigned = tmp_path / "split"
    split = ["split", "--data", light.data, "--ratios", "60/20/20", "--to", assigned, "--cache", tmp_path / "cache"]
    subprocess.run([*command, *split], check=True, capture_output=True)
    rows = {row["path"]: row["split"] for row in read_csv(assigned / "split.csv")}
    settings = ["--set", "fit.epochs=1", "--set", "phases.top.train=1"]
    trained = replace(light, data=assigned, cache=tmp_path / "cache").command(tmp_path / "run")
    subprocess.run([*trained, *settings], check=True, capture_output=True)
    assert {row["path"]: row["split"] for row in read_csv(tmp_path / "run" / "split.csv")} == rows
    assert len(read_csv(tmp_path / "run" / "history.csv")) == 2
