"""Runs a file that has not been described yet, so that `Classifier` would not open it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pneumo_infer.films.raster import Film
from pneumo_infer.model.session import open_session
from pneumo_train.model.calibration import Scores

AT_ONCE = 16


def run_file(file: Path, output: str, films: Film) -> Scores:
    """Give one output of an ONNX file for decoded films, uint8 (N, 224, 224, 1)."""
    return run_outputs(file, (output,), films)[0]


def run_outputs(file: Path, outputs: Sequence[str], films: Film) -> list[Scores]:
    """Give several outputs of an ONNX file for decoded films, uint8 (N, 224, 224, 1), in the order asked for."""
    session, _ = open_session(file, "cpu")
    starts = range(0, len(films), AT_ONCE)
    answers = [session.run(list(outputs), {"image": films[start : start + AT_ONCE]}) for start in starts]
    return [np.concatenate(parts) for parts in zip(*answers, strict=True)]
