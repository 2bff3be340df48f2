"""A run that was killed goes on as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest
from filelock import FileLock
from tiny_training import TinyTraining, read_csv


def stop_after_first_epoch(command: list[str | Path], run: Path, how: signal.Signals) -> tuple[int, str]:
    # A suite that a shell runs in the background hands on that interrupts are ignored.
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, handler)
    assert process.stderr is not None
    deadline = time.monotonic() + 300
    while not read_csv(run / "history.csv"):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(how)
    _, printed = process.communicate()
    return process.returncode, printed


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_resumes_to_the_same_end(
    tiny: TinyTraining, tiny_run: Path, tmp_path: Path, how: signal.Signals
) -> None:
    run = tmp_path / "stopped"
    code, printed = stop_after_first_epoch(tiny.command(run), run, how)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    if how is signal.SIGINT:
        assert f"--resume {run}" in printed
    state = json.loads((run / "state.json").read_text())
    assert 1 <= len(state["history"]) < 10
    assert not (run / "model.keras").exists()
    keras.models.load_model(run / "checkpoints" / state["last"])  # whole

    subprocess.run([sys.executable, "-m", "pneumo_train", "--resume", run], check=True, capture_output=True)
    resumed, straight = read_csv(run / "history.csv"), read_csv(tiny_run / "history.csv")
    assert (
        [row["epoch"] for row in resumed]
        == [row["epoch"] for row in straight]
        == [str(epoch) for epoch in range(1, 11)]
    )
    for ours, theirs in zip(resumed, straight, strict=True):
        assert float(ours["loss"]) == pytest.approx(float(theirs["loss"]), rel=1e-3)
        assert float(ours["learning_rate"]) == pytest.approx(float(theirs["learning_rate"]))
    assert (run / "model.json").exists()


def test_a_folder_with_a_run_is_not_overwritten(tiny: TinyTraining, tiny_run: Path) -> None:
    before = (tiny_run / "state.json").read_bytes()
    done = subprocess.run(tiny.command(tiny_run), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"already holds a run; go on with --resume {tiny_run}" in done.stderr
    assert (tiny_run / "state.json").read_bytes() == before


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pneumo_train", "--resume", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "holds no run" in done.stderr


def test_a_run_that_another_process_trains_is_left_to_it(tiny_run: Path) -> None:
    before = (tiny_run / "state.json").read_bytes()
    with FileLock(tiny_run / "run.lock"):
        command = [sys.executable, "-m", "pneumo_train", "--resume", tiny_run]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{tiny_run}: is being trained by another process; let it finish, or stop it" in done.stderr
    assert (tiny_run / "state.json").read_bytes() == before
