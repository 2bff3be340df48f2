"""pneumo-train and pneumo-export with streams that are full, closed or ASCII, and places that cannot be written."""

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
from made_films import write_chest_xray

from pneumo_infer.cli.exit_codes import exit_codes

FULL = "/dev/full"


def call(module: str, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False, **options)


def close(number: int) -> Callable[[], None]:
    return lambda: os.close(number)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chest_xray(tmp_path_factory.mktemp("\u00e4rger") / "films", patients=8)


def split(data: Path, to: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    cache = ["--cache", to.with_name("cache")]
    return call("pneumo_train", "split", "--data", data, "--ratios", "60/20/20", "--to", to, *cache, **options)


def test_standard_output_that_is_full_or_closed() -> None:
    with Path(FULL).open("wb") as full:
        done = call("pneumo_train", "recipes", stdout=full)
    assert done.returncode == 2
    assert done.stderr.startswith(b"pneumo-train: standard output: cannot be written (No space left on device); ")
    done = call("pneumo_train", "recipes", stdout=None, preexec_fn=close(1))
    assert done.returncode == 2
    assert done.stderr.startswith(b"pneumo-train: standard output: is closed; ")
    for module in ("pneumo_train", "pneumo_export"):
        with Path(FULL).open("wb") as full:
            done = call(module, "--help", stdout=full)
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("how", [close(2), None], ids=["closed", "full"])
def test_standard_error_that_is_full_or_closed(data: Path, tmp_path: Path, how: Callable[[], None] | None) -> None:
    with Path(FULL).open("wb") as full:
        done = split(data, tmp_path / "to", stderr=full, preexec_fn=how)
    assert done.returncode == 0
    assert done.stdout.startswith(b"wrote 16 films to ")
    assert (tmp_path / "to" / "split.csv").exists()


def test_streams_that_are_ascii(data: Path, tmp_path: Path) -> None:
    done = split(data, tmp_path / "\u00fcber", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert b"\\xfcber; to train on them" in done.stdout


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    for module, arguments in (("pneumo_train", ["recipes"]), ("pneumo_train", []), ("pneumo_export", ["--to", "onnx"])):
        gone = tmp_path / "gone"
        gone.mkdir()
        done = call(module, *arguments, cwd=gone, preexec_fn=gone.rmdir)
        program = module.replace("_", "-").encode()
        assert done.returncode == 2
        assert done.stderr == program + b": the working directory: no longer exists; change to another folder\n"


def test_a_cache_and_a_home_that_cannot_be_written(data: Path, tmp_path: Path) -> None:
    home = os.environ | {"HOME": "/proc", "XDG_CACHE_HOME": "/proc/cache", "XDG_CONFIG_HOME": "/proc/config"}
    done = call("pneumo_train", "split", "--data", data, "--to", tmp_path / "to", env=home)
    assert done.returncode == 2
    assert b"cache/pneumo-train: decoded films cannot be stored here (" in done.stderr
    assert b"; name a writable folder with --cache" in done.stderr
    assert b"Traceback" not in done.stderr
    assert split(data, tmp_path / "to", env=home).returncode == 0


def test_any_error_of_the_operating_system_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, exit_codes("pneumo-train"):
        Path("/dev/null/none").write_text("")
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "pneumo-train: /dev/null/none: Not a directory; check the path, its permissions and the free space\n"
    )


def test_a_reader_that_ends_early(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = call("pneumo_train", "recipes", stdout=pipe)
    assert (done.returncode, done.stderr) == (0, b"")


# As the installed command does it, but it says when Python's own start and the import of the entry point are over.
STARTED = "import os; from {module}.cli import main; os.write(1, b'*'); main()"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "arguments"),
    [("pneumo_train", ["--data", "/dev/null/none"]), ("pneumo_export", ["--to", "onnx", "--model", "/dev/null/none"])],
)
def test_interrupts_from_the_first_moment_on(tmp_path: Path, module: str, arguments: list[str]) -> None:
    command = [sys.executable, "-c", STARTED.format(module=module), *arguments]
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        started = time.monotonic()
        assert subprocess.run(command, check=False, capture_output=True, cwd=tmp_path).returncode == 2
        whole = time.monotonic() - started
        for moment in range(1, 11):  # not at once, because the call of `main` itself takes a moment
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
                assert process.stdout is not None
                assert process.stdout.read(1) == b"*"
                time.sleep(whole * moment / 15)
                process.send_signal(signal.SIGINT)
                _, printed = process.communicate()
            assert process.returncode in (130, 2), printed  # 2: it had ended before
            assert b"Traceback" not in printed
    finally:
        signal.signal(signal.SIGINT, handler)
