"""A published run is complete for export and evaluation, and contains no local paths."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from pneumo_train.errors import RunError
from pneumo_train.model.trained import load_trained
from pneumo_train.release.publish import publish_run
from pneumo_train.training.environment import note_environment


def test_a_run_is_published_without_paths(tiny_run: Path, tmp_path: Path) -> None:
    to = tmp_path / "models"
    command = [sys.executable, "-m", "pneumo_train", "publish", tiny_run, "--to", to, "--name", "own"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == sorted(map(str, to.iterdir()))
    assert load_trained(to / "own.keras").sha256 == load_trained(tiny_run / "model.keras").sha256
    options = json.loads((to / "run.json").read_text())
    assert (options["data"], options["recipe"], options["mixed_precision"]) == ("chest_xray", "tiny.toml", False)
    environment = json.loads((to / "environment.json").read_text())
    assert environment[0]["packages"]["keras"] == keras.__version__
    texts = [file.read_text() for file in to.iterdir() if file.suffix in (".json", ".csv", ".toml")]
    assert not [text for text in texts if str(tiny_run.parent.parent) in text]


def test_an_unfinished_run_is_not_published(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_bytes((tiny_run / "run.json").read_bytes())
    with pytest.raises(RunError, match="not a finished run"):
        publish_run(run, tmp_path / "models", "own")
    assert not (tmp_path / "models").exists()


def test_another_machine_is_noted_once(tmp_path: Path) -> None:
    file = tmp_path / "environment.json"
    note_environment(tmp_path)
    note_environment(tmp_path)
    [here] = json.loads(file.read_text())
    file.write_text(json.dumps([here | {"processor": "another"}]))
    note_environment(tmp_path)
    assert [entry["processor"] for entry in json.loads(file.read_text())] == ["another", here["processor"]]
