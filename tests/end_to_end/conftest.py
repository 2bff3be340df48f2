"""The tiny model, exported by the real program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from made_once import made_once


@pytest.fixture(scope="session")
def exported(tiny_run: Path) -> Path:
    folder = tiny_run / "export"
    with made_once(tiny_run.with_suffix(".exported")) as first:
        if first:
            command = [sys.executable, "-m", "pneumo_export", "--to", "onnx", "--least-films", "16"]
            subprocess.run([*command, "--model", tiny_run / "model.keras"], check=True, capture_output=True)
    return folder
