"""Trainings, exports and publications that are killed at random moments.

Set PNEUMO_KILLS to the number of kills of each program. Unset, the tests are skipped: three kills take ten minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest
from kills import KILLED, killed_runs
from tiny_training import TinyTraining, read_csv

from pneumo_infer import ModelError
from pneumo_infer.model.checksum import file_digest, verify
from pneumo_train.errors import RunError
from pneumo_train.model.trained import load_trained
from pneumo_train.training import fit  # noqa: F401  # registers the layers in checkpoints

KILLS = int(os.environ.get("PNEUMO_KILLS", "0"))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not KILLS, reason="PNEUMO_KILLS is not set; it takes ten minutes")]
METRICS = ("loss", "val_loss", "val_auc", "learning_rate")


def run(*command: str | Path) -> float:
    """Run a command to its end; return its seconds."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    return time.monotonic() - start


def test_a_training_loses_no_epoch_and_repeats_none(light: TinyTraining, tmp_path: Path) -> None:
    """After each kill, the checkpoints that the state names are whole; at the end, the history is the unbroken one."""
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    start = time.monotonic()
    subprocess.run(light.command(unbroken), check=True, capture_output=True)
    longest = time.monotonic() - start
    with subprocess.Popen(light.command(broken), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        while not (broken / "run.json").exists():
            assert first.poll() is None
            time.sleep(0.05)
        first.kill()
    for code in killed_runs([sys.executable, "-m", "pneumo_train", "--resume", broken], KILLS, longest):
        if (broken / "state.json").exists():
            state = json.loads((broken / "state.json").read_text())
            for name in {state["last"], state["kept"]} - {None}:
                keras.models.load_model(broken / "checkpoints" / name)
        if code != KILLED:
            assert code == 0
            (broken / "model.json").unlink()  # measured and released again
    run("pneumo_train", "--resume", broken)
    for ours, theirs in zip(read_csv(broken / "history.csv"), read_csv(unbroken / "history.csv"), strict=True):
        assert (ours["epoch"], ours["phase"]) == (theirs["epoch"], theirs["phase"])
        assert [float(ours[name]) for name in METRICS] == pytest.approx([float(theirs[name]) for name in METRICS], 1e-3)
    assert load_trained(broken / "model.keras")
    assert not list(broken.glob(".*"))


def test_an_export_is_old_or_new_or_refused(tiny_run: Path, tmp_path: Path) -> None:
    """After each kill, every model opens with its own card's figures, or is refused; the last export repairs all."""
    start = ["pneumo_export", "--to", "onnx", "--precision", "fp32", "--least-films", "16"]
    command = [*start, "--model", tiny_run / "model.keras", "--output", tmp_path / "export"]
    longest = run(*command)
    model = tmp_path / "export" / "pneumo-resnet50-fp32.onnx"
    whole = model.read_bytes()
    for _code in killed_runs([sys.executable, "-m", *command], KILLS, longest):
        try:
            verify(model, file_digest(model))
        except ModelError as error:
            assert "is incomplete" in str(error)  # noqa: PT017
        else:
            assert model.read_bytes() == whole
    run(*command)
    verify(model, file_digest(model))
    assert not list((tmp_path / "export").glob(".*"))


def test_a_publication_is_old_or_new_or_refused(tiny_run: Path, tmp_path: Path) -> None:
    command = ["pneumo_train", "publish", tiny_run, "--to", tmp_path, "--name", "own"]
    longest = run(*command)
    for _code in killed_runs([sys.executable, "-m", *command], KILLS, longest):
        try:
            load_trained(tmp_path / "own.keras")
        except (ModelError, RunError) as error:
            assert "is incomplete" in str(error)  # noqa: PT017
    run(*command)
    assert load_trained(tmp_path / "own.keras").sha256 == load_trained(tiny_run / "model.keras").sha256
    assert not list(tmp_path.glob(".*"))
