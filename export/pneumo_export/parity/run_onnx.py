"""Run ONNX files that have no metadata yet, which `Classifier` would reject."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pneumo_infer.films.raster import Film
from pneumo_infer.model.session import open_session
from pneumo_train.data.chunks import in_batches
from pneumo_train.model.calibration import Scores


def run_output(file: Path, output: str, films: Film) -> Scores:
    """Run an ONNX file like `run_outputs`, for one output only: float32 (N, ...)."""
    return run_outputs(file, (output,), films)[0]


def run_outputs(file: Path, outputs: Sequence[str], films: Film) -> list[Scores]:
    """Run an ONNX file on films and return several of its outputs.

    Parameters
    ----------
    outputs
        The names of the outputs.
    films
        uint8 (N, 224, 224, 1).

    Returns
    -------
    list of ndarray
        float32 (N, ...) each, in the order of `outputs`.
    """
    session = open_session(file, "cpu").session
    batches = [session.run(list(outputs), {"image": batch}) for batch in in_batches(films)]
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]
