"""The tiny model, exported by the real program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def exported(tiny_run: Path) -> Path:
    command = [sys.executable, "-m", "pneumo_export", "--to", "onnx", "--least-films", "16"]
    subprocess.run([*command, "--model", tiny_run / "model.keras"], check=True, capture_output=True)
    return tiny_run / "export"
