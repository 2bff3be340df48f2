"""Histogram equalisation inside a network, from operations that every backend and ONNX have."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

GREYS = 256
HALF = 16  # a grey is two digits to this base, whose one-hot codes multiply to a histogram
EVERY = 3  # pixels along both axes, of which a histogram is taken: neighbours resemble each other
UNIFORM_DEVIATION = 12**-0.5  # of greys that are spread evenly over 0..1


def equalised(films: keras.KerasTensor) -> keras.KerasTensor:
    """Map each film's greys to their rank, so that films differ by structure, not by exposure or tone curve.

    A grey becomes the share of the film's pixels that are darker, those as dark counted half. Pixels of grey 0 are left
    out: black borders and air say nothing of the tone curve.

    Parameters
    ----------
    films
        float32 (N, H, W, 1) in 0..255, rounded to whole greys.

    Returns
    -------
    KerasTensor
        float32 (N, H, W, 1) of mean about 0 and deviation about 1.
    """
    greys = ops.cast(films + 0.5, "int32")
    counts = histograms(greys[:, ::EVERY, ::EVERY])
    counts = ops.concatenate([ops.zeros_like(counts[:, :1]), counts[:, 1:]], axis=1)
    darker = ops.cumsum(counts, axis=1) - 0.5 * counts
    ranks = darker / ops.maximum(ops.sum(counts, axis=1, keepdims=True), 1.0)
    table = (ranks - 0.5) / UNIFORM_DEVIATION
    # One long table: engines look up in it faster than in one for each film.
    first = GREYS * (ops.cumsum(ops.ones_like(greys[:, :1, :1]), axis=0) - 1)
    return ops.take(ops.reshape(table, (-1,)), greys + first)


def histograms(greys: Any) -> Any:
    """Count greys: int32 (N, H, W, 1) in 0..255 to float32 (N, 256).

    The counts are the product of the one-hot codes of the greys' two hexadecimal digits, summed over pixels, for lack
    of a batched histogram in ONNX.
    """
    pixels = greys.shape[1] * greys.shape[2]
    flat = ops.reshape(greys, (-1, pixels))
    first = flat // HALF
    high, low = (one_hot(digit) for digit in (first, flat - HALF * first))
    return ops.reshape(ops.matmul(ops.transpose(high, (0, 2, 1)), low), (-1, GREYS))


def one_hot(digits: Any) -> Any:
    """Code digits: int32 (N, P) to float32 (N, P, 16). ONNX' own OneHot differs between engines in what it accepts."""
    return ops.cast(ops.equal(ops.expand_dims(digits, -1), np.arange(HALF, dtype=np.int32)), "float32")
