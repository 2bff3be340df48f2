"""The tiny model, exported by the real program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock


@pytest.fixture(scope="session")
def exported(tiny_run: Path) -> Path:
    folder = tiny_run / "export"
    with FileLock(tiny_run.with_suffix(".export.lock")):
        if not folder.exists():
            command = [sys.executable, "-m", "pneumo_export", "--to", "onnx", "--least-films", "16"]
            subprocess.run([*command, "--model", tiny_run / "model.keras"], check=True, capture_output=True)
    return folder
