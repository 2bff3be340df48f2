"""Streams that are full, closed or ASCII, a working directory that is gone, and interrupts from the first moment on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from infer_command import close, infer, records, small_film, small_model

FULL = "/dev/full"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and a film whose name is not ASCII."""
    place = tmp_path_factory.mktemp("place")
    small_model(place / "small.onnx")
    small_film(place / "ärger.png")
    return place


def run(place: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return infer("--model", place / "small.onnx", *arguments, place / "ärger.png", **options)


@pytest.mark.parametrize("arguments", [["--json"], ["--format", "csv"], [], ["--info"], ["--explain"]], ids=str)
def test_standard_output_that_is_full(place: Path, arguments: list[str]) -> None:
    with Path(FULL).open("wb") as full:
        done = run(place, *arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == (
        b"pneumo-infer: standard output: cannot be written (No space left on device); make room, or use --output\n"
    )


def test_standard_output_that_is_closed(place: Path, tmp_path: Path) -> None:
    done = run(place, "--json", preexec_fn=close(1))
    assert done.returncode == 2
    assert done.stderr == (b"pneumo-infer: standard output: is closed; use --output, or redirect it to a file\n")
    written = run(place, "--json", "--output", tmp_path / "records", preexec_fn=close(1))
    assert written.returncode == 0
    assert (tmp_path / "records").read_bytes().startswith(b"{")


@pytest.mark.parametrize("arguments", [["--format", "jsonl"], []], ids=str)
def test_standard_error_that_cannot_be_written(place: Path, arguments: list[str]) -> None:
    with Path(FULL).open("wb") as full:
        done = run(place, *arguments, capture_output=False, stdout=subprocess.PIPE, stderr=full)
    assert (done.returncode, done.stdout.count(b"rger.png")) == (0, 1)
    closed = run(place, *arguments, preexec_fn=close(2))
    assert (closed.returncode, closed.stdout) == (0, done.stdout)


@pytest.mark.parametrize("how", [close(2), None], ids=["closed", "full"])
def test_usage_errors_without_standard_error(place: Path, how: Callable[[], None] | None) -> None:
    with Path(FULL).open("wb") as full:
        options = {"capture_output": False, "stdout": subprocess.PIPE, "stderr": full, "preexec_fn": how}
        assert run(place, "--no-such-option", **options).returncode == 2
        assert run(place, "--model", "gone.onnx", **options).returncode == 2


def test_standard_input_that_is_closed(place: Path) -> None:
    done = run(place, "--format", "jsonl", "-", preexec_fn=close(0))
    assert done.returncode == 1
    first, second = records(done.stdout)
    assert first["error"].startswith("-: is closed; ")
    assert second["error"] is None


def test_streams_that_are_ascii(place: Path) -> None:
    ascii_only = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }
    table = run(place, env=ascii_only)
    assert table.returncode == 0, table.stderr
    assert table.stdout.endswith(b"rger.png\n")
    rows = run(place, "--format", "csv", env=ascii_only)
    assert rows.returncode == 0, rows.stderr
    assert "/ärger.png,".encode() in rows.stdout


def test_a_working_directory_that_is_gone(place: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    def remove() -> None:
        gone.rmdir()

    for arguments in (["--json"], ["--heatmap", "drawn"], ["--info"]):
        gone.mkdir(exist_ok=True)
        done = run(place, *arguments, cwd=gone, preexec_fn=remove)
        assert done.returncode == 2
        assert done.stderr == (b"pneumo-infer: the working directory: no longer exists; change to another folder\n")


def test_a_home_that_cannot_be_written(place: Path, tmp_path: Path) -> None:
    for home in ("/proc", str(tmp_path / "none")):
        environment = {
            **os.environ,
            "HOME": home,
            "XDG_CACHE_HOME": f"{home}/cache",
            "XDG_CONFIG_HOME": f"{home}/config",
        }
        assert run(place, env=environment).returncode == 0
    assert list(tmp_path.iterdir()) == []


# As the installed command does it, but it says when Python's own start and the import of the entry point are over.
STARTED = """
import os
from pneumo_infer.cli.main import main
from pneumo_infer.cli.start import end_at_once_if_interrupted
end_at_once_if_interrupted("pneumo-infer")
os.write(1, b"*")
main()
"""


@pytest.mark.slow
def test_interrupts_from_the_first_moment_on(place: Path) -> None:
    command = [sys.executable, "-c", STARTED, "--model", place / "small.onnx", "--json", place / "ärger.png"]
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        whole = time.monotonic() - started
        for moment in range(50):
            # It waits for standard input, so it is still running.
            with subprocess.Popen([*command, "-"], stdin=subprocess.PIPE, stdout=-1, stderr=-1) as process:
                assert process.stdout is not None
                assert process.stdout.read(1) == b"*"
                time.sleep(whole * moment / 50)
                process.send_signal(signal.SIGINT)
                _, printed = process.communicate()
            assert process.returncode == 130, printed
            assert printed.startswith(b"\npneumo-infer: interrupted; ")
            assert printed.count(b"\n") == 2, printed
    finally:
        signal.signal(signal.SIGINT, handler)
