"""Fresh virtual environments, like those of a user."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = f"{ROOT}[cpu]"


@contextmanager
def fresh_environment(*requirements: str) -> Iterator[Path]:
    """Create a virtual environment with the requirements installed, yield its folder, and remove it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        if requirements:
            command = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", *requirements]
            subprocess.run(command, check=True)
        yield Path(folder)
