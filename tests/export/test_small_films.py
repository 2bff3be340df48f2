"""A network that looks at smaller films than the contract's is not exported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path


def test_a_network_of_smaller_films_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints", "export"))
    described = run / "model.json"
    description = json.loads(described.read_text())
    description["recipe"]["phases"][-1]["side"] = 128
    described.write_text(json.dumps(description))
    command = [sys.executable, "-m", "pneumo_export", "--to", "onnx", "--least-films", "16"]
    done = subprocess.run(
        [*command, "--model", run / "model.keras", "--output", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "model.keras: looks at films of 128 pixels" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()
