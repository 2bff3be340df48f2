"""Runs a file that has not been described yet, so that `Classifier` would not open it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pneumo_infer.images import Film
from pneumo_infer.session import open_session
from pneumo_train.calibrate import Scores

AT_ONCE = 16


def run_file(file: Path, output: str, films: Film) -> Scores:
    """Give one output of an ONNX file for decoded films, uint8 (N, 224, 224, 1)."""
    session, _ = open_session(file, "cpu")
    batches = (films[start : start + AT_ONCE] for start in range(0, len(films), AT_ONCE))
    return np.concatenate([session.run([output], {"image": batch})[0] for batch in batches])
