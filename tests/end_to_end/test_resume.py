"""A killed run resumes and gives the same result."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from filelock import FileLock
from stopped_runs import stop_run
from tiny_training import TinyTraining, read_csv


@pytest.fixture(scope="module")
def straight(light: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without interruptions."""
    run = tmp_path_factory.mktemp("runs") / "straight"
    subprocess.run(light.command(run), check=True, capture_output=True)
    return run


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_resumes_to_the_same_end(
    light: TinyTraining, straight: Path, tmp_path: Path, how: signal.Signals
) -> None:
    run = tmp_path / "stopped"
    code, printed = stop_run(light.command(run), run, how)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    if how is signal.SIGINT:
        assert f"--resume {run}" in printed
    state = json.loads((run / "state.json").read_text())
    assert 1 <= len(state["history"]) < 10
    assert not (run / "model.keras").exists()
    keras.models.load_model(run / "checkpoints" / state["last"])  # whole

    subprocess.run([sys.executable, "-m", "pneumo_train", "--resume", run], check=True, capture_output=True)
    resumed, whole = read_csv(run / "history.csv"), read_csv(straight / "history.csv")
    assert (
        [row["epoch"] for row in resumed] == [row["epoch"] for row in whole] == [str(epoch) for epoch in range(1, 11)]
    )
    for ours, theirs in zip(resumed, whole, strict=True):
        assert float(ours["loss"]) == pytest.approx(float(theirs["loss"]), rel=1e-3)
        assert float(ours["learning_rate"]) == pytest.approx(float(theirs["learning_rate"]))
    assert (run / "model.json").exists()


def test_a_folder_with_a_run_is_not_overwritten(light: TinyTraining, straight: Path) -> None:
    before = (straight / "state.json").read_bytes()
    done = subprocess.run(light.command(straight), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"already contains a run; resume it with --resume {straight}" in done.stderr
    assert (straight / "state.json").read_bytes() == before


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pneumo_train", "--resume", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "not a run folder" in done.stderr


def test_a_run_that_another_process_trains_is_left_to_it(straight: Path) -> None:
    before = (straight / "state.json").read_bytes()
    with FileLock(straight / "run.lock"):
        command = [sys.executable, "-m", "pneumo_train", "--resume", straight]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{straight}: is being trained by another process; let it finish, or stop it" in done.stderr
    assert (straight / "state.json").read_bytes() == before


def test_a_run_that_cannot_be_written(straight: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes((straight / "run.json").read_bytes())
    (tmp_path / "run.lock").mkdir()
    command = [sys.executable, "-m", "pneumo_train", "--resume", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{tmp_path}: cannot be written (Is a directory); make it writable" in done.stderr
