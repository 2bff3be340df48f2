"""A network with coarser heatmaps than the contract allows is not exported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

from pneumo_train.model.calibration import Calibration
from pneumo_train.model.network import build_serving_model, build_trunk
from pneumo_train.ood.detector import OodDetector
from pneumo_train.recipe import Network

COARSE = Network(backbone="resnet50", scaling="film")


def serve(trunk: keras.Model) -> keras.Model:
    nothing = np.zeros(1536, np.float32)
    detector = OodDetector(np.eye(1536, dtype=np.float32), nothing, nothing[:, None], nothing[:1])
    return build_serving_model(trunk, Calibration(1.0, 0.0), detector)


def test_a_network_with_coarse_heatmaps_is_refused(tiny_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(tiny_run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints", "export"))
    serve(build_trunk("none", COARSE, image_size=128)).save(run / "model.keras")
    command = [sys.executable, "-m", "pneumo_export", "--to", "onnx", "--least-films", "16"]
    done = subprocess.run(
        [*command, "--model", run / "model.keras", "--output", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "model.keras: has heatmaps of 4 x 4 cells" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()
