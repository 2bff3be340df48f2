"""Leave-one-style-out measures a recipe on a style that was in training for one class only, and resumes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from stopped_runs import stop_run
from styled_data import write_styled_films
from tiny_training import TinyTraining, read_csv

from pneumo_train.evaluation.metrics import wilson_interval


@pytest.fixture(scope="module")
def styled(light: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> TinyTraining:
    folder = tmp_path_factory.mktemp("styled")
    return replace(light, data=write_styled_films(folder / "films"), cache=folder / "cache")


def command(styled: TinyTraining, output: Path) -> list[str | Path]:
    start = [sys.executable, "-m", "pneumo_train"]
    settings = ["--set", "fit.epochs=1", "--set", "phases.top.train=1"]
    return [*start, "leave-one-style-out", *styled.command(output)[len(start) :], *settings]


@pytest.fixture(scope="module")
def killed_and_repeated(styled: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The output folder of a killed and resumed command, and the output of the resumed one."""
    output = tmp_path_factory.mktemp("studies") / "study"
    code, _ = stop_run(command(styled, output), output / "cluster-0", signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (output / "cluster-0" / "result.json").exists()
    done = subprocess.run(command(styled, output), check=True, capture_output=True, text=True)
    return output, done.stdout


def test_the_result_is_of_the_normal_films_left_out(killed_and_repeated: tuple[Path, str]) -> None:
    output, _ = killed_and_repeated
    summary = json.loads((output / "leave-one-style-out.json").read_text())
    (result,) = summary["clusters"]  # the seven others have less than 40 NORMAL films
    split = read_csv(output / "split.csv")
    common = [row for row in split if row["label"] == "NORMAL" and int(row["patient"][3:7]) < 100]
    left_out = sum(row["split"] == "train" for row in common)
    assert result["left_out"] == {"films_of_the_style": left_out, "other_films_of_these_patients": 0}
    specificity = result["specificity"]
    assert specificity["films"] == left_out >= 40
    right = round(specificity["value"] * left_out)
    assert specificity["interval"] == pytest.approx(wilson_interval(right, left_out))
    rare = [row for row in split if row["label"] == "NORMAL" and row not in common]
    assert result["typical_specificity"]["films"] <= sum(row["split"] == "test" for row in rare)
    assert summary["mean"]["specificity"] == specificity["value"]


def test_a_killed_training_was_resumed(killed_and_repeated: tuple[Path, str]) -> None:
    output, _ = killed_and_repeated
    assert [row["phase"] for row in read_csv(output / "cluster-0" / "history.csv")] == ["head", "top"]
    assert not (output / "cluster-0" / "checkpoints").exists()


def test_what_is_done_is_not_trained_again(styled: TinyTraining, killed_and_repeated: tuple[Path, str]) -> None:
    output, printed = killed_and_repeated
    before = {file: file.stat().st_mtime_ns for file in (output / "cluster-0").iterdir()}
    again = subprocess.run([*command(styled, output), "--clusters", "0"], check=True, capture_output=True, text=True)
    assert again.stdout == printed
    assert "specificity" in printed
    assert {file: file.stat().st_mtime_ns for file in (output / "cluster-0").iterdir()} == before


def test_what_cannot_be_left_out(styled: TinyTraining, killed_and_repeated: tuple[Path, str]) -> None:
    output, _ = killed_and_repeated
    for options, problem in (
        (["--clusters", "5"], "cluster 5: not a style with 40 NORMAL training films; choose from 0"),
        (["--set", "split.seed=8"], "was started with other options; repeat those, or name another --output"),
    ):
        done = subprocess.run([*command(styled, output), *options], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert problem in done.stderr
