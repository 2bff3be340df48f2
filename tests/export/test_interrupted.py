"""An export that cannot end leaves the earlier files as they were."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A folder with an earlier release in it."""
    output = tmp_path / "models"
    output.mkdir()
    for name in ("pneumo-resnet50-fp32.onnx", "parity.json", "SHA256SUMS"):
        (output / name).write_text(f"an earlier {name}")
    return output


def command(run: Path, output: Path) -> list[str | Path]:
    start = [sys.executable, "-m", "pneumo_export", "--to", "onnx", "--precision", "fp32", "--least-films", "16"]
    return [*start, "--model", run / "model.keras", "--output", output]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_full_disk(tiny_run: Path, earlier: Path) -> None:
    before = contents(earlier)

    def allow_ten_megabytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000))

    done = subprocess.run(
        command(tiny_run, earlier), capture_output=True, text=True, check=False, preexec_fn=allow_ten_megabytes
    )
    assert done.returncode == 2
    assert f"{earlier}: cannot be written" in done.stderr
    assert contents(earlier) == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupt(tiny_run: Path, earlier: Path, how: signal.Signals) -> None:
    before = contents(earlier)
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command(tiny_run, earlier), stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, handler)
    deadline = time.monotonic() + 300
    while not list(earlier.glob(".publish-*/*.onnx")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(how)
    _, printed = process.communicate()
    assert process.returncode == (-signal.SIGKILL if how is signal.SIGKILL else 128 + how)
    left = {path.name for path in earlier.iterdir()}
    if how is signal.SIGKILL:  # which nobody can clean up after
        left = {name for name in left if not name.startswith(".publish-")}
    else:
        assert "nothing was written" in printed
    assert left == set(before)
    assert {name: (earlier / name).read_text() for name in before} == before
