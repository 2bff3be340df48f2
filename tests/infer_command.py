"""Run pneumo-infer as a program, with a small model and films that it answers by their brightness."""

from __future__ import annotations

import ctypes
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from made_films import flat_film
from PIL import Image
from small_models import METADATA, write_model

COMMAND = (sys.executable, "-m", "pneumo_infer")
# Capabilities of Linux (capabilities(7)) that let root read and enter any folder, and the call that gives them up.
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
DROP_CAPABILITY = 24


def small_model(path: Path, **metadata: str) -> Path:
    """Write a model for which the films below are in domain."""
    return write_model(path, {**METADATA, **metadata})


def small_film(path: Path, grey: int = 100) -> Path:
    """Write a film of one grey."""
    Image.fromarray(flat_film(grey)).save(path, format="PNG")
    return path


def infer(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command; options as for subprocess.run."""
    return subprocess.run([*COMMAND, *arguments], check=False, timeout=300, **{"capture_output": True, **options})


def in_a_terminal(*arguments: str | Path, exit_code: int = 0, cwd: Path | None = None, **environment: str) -> str:
    """Run the command with a terminal for its output and more environment variables, and return what was sent to it."""
    ours, theirs = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | environment
    with subprocess.Popen([*COMMAND, *arguments], stdout=theirs, stderr=theirs, env=variables, cwd=cwd) as process:
        os.close(theirs)
        sent = b""
        try:
            while piece := os.read(ours, 4096):
                sent += piece
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(ours)
    assert process.returncode == exit_code
    return sent.decode()


def without_privileges() -> None:
    """Give up what lets root ignore permissions; for `preexec_fn`."""
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(DROP_CAPABILITY, capability, 0, 0, 0)


def both(*steps: Callable[[], object]) -> Callable[[], None]:
    """Do several things in the child before the program starts; for `preexec_fn`."""

    def run() -> None:
        for step in steps:
            step()

    return run


def records(output: bytes) -> list[dict[str, Any]]:
    """Parse JSON lines."""
    return [json.loads(line) for line in output.splitlines()]


def close(number: int) -> Callable[[], None]:
    """Close a stream; for `preexec_fn`."""
    return lambda: os.close(number)
