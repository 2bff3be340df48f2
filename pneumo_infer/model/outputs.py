"""Check what a network answers, so that no impossible number becomes a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumo_infer.errors import ModelError
from pneumo_infer.model.info import EXPORT_AGAIN

LARGEST = float(np.finfo(np.float32).max)
RANGES = {
    "probability": (0.0, 1.0),
    "logit": (-LARGEST, LARGEST),
    "heatmap": (0.0, LARGEST),
    "domain_distance": (0.0, LARGEST),
}


def check_outputs(outputs: Mapping[str, NDArray[Any]], films: int, heatmap_side: int, model: str) -> None:
    """Check type, shape and range of the outputs of one run.

    Parameters
    ----------
    outputs
        The outputs of the contract by name.
    films
        The number of films in the run.
    heatmap_side
        Height and width of the heatmaps, in cells.
    model
        Name of the model file, for error messages.

    Raises
    ------
    ModelError
        An output is not float32, has another shape, or has a value that is not finite or out of range; the message
        names it.
    """
    for name, (low, high) in RANGES.items():
        values = np.asarray(outputs[name])
        shape = (films, heatmap_side, heatmap_side) if name == "heatmap" else (films,)
        if values.dtype != np.float32 or values.shape != shape:
            problem = f"{values.dtype} {list(values.shape)} for {films} films, expected float32 {list(shape)}"
            raise ModelError(model, f"its output {name!r} is {problem}", EXPORT_AGAIN)
        with np.errstate(invalid="ignore"):
            possible = (values >= low) & (values <= high)  # false for NaN
        if not possible.all():
            value = float(values[~possible][0])
            raise ModelError(model, f"its output {name!r} is {value:g}, expected {_describe(low, high)}", EXPORT_AGAIN)


def _describe(low: float, high: float) -> str:
    if high < LARGEST:
        return f"{low:g} to {high:g}"
    return "a finite number" if low < 0 else "a finite number that is not negative"
