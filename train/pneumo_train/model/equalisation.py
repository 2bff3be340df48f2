"""Histogram equalisation inside a network, with operations that every backend and ONNX support."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

GREYS = 256
BASE = 16  # a grey level has two digits in this base
STRIDE = 3  # only every third pixel in each direction is counted, since neighbours are similar
UNIFORM_DEVIATION = 12**-0.5  # standard deviation of the uniform distribution over 0..1


def equalised(films: keras.KerasTensor) -> keras.KerasTensor:
    """Map the grey levels of each film to their ranks, which do not depend on exposure or tone curve.

    A grey level becomes the share of the film's pixels that are darker; equal pixels count half. Black pixels (0) are
    not counted, because black borders and air contain no information about the tone curve.

    Parameters
    ----------
    films
        float32 (N, H, W, 1) in 0..255; values are rounded to integers.

    Returns
    -------
    KerasTensor
        float32 (N, H, W, 1), with a mean of about 0 and a standard deviation of about 1.
    """
    greys = ops.cast(films + 0.5, "int32")
    counts = histograms(greys[:, ::STRIDE, ::STRIDE])
    counts = ops.concatenate([ops.zeros_like(counts[:, :1]), counts[:, 1:]], axis=1)
    darker = ops.cumsum(counts, axis=1) - 0.5 * counts
    ranks = darker / ops.maximum(ops.sum(counts, axis=1, keepdims=True), 1.0)
    table = (ranks - 0.5) / UNIFORM_DEVIATION
    # One long table: lookups are faster than with a separate table for each film.
    first = GREYS * (ops.cumsum(ops.ones_like(greys[:, :1, :1]), axis=0) - 1)
    return ops.take(ops.reshape(table, (-1,)), greys + first)


def histograms(greys: Any) -> Any:
    """Count grey levels: int32 (N, H, W, 1) in 0..255 to float32 (N, 256).

    ONNX has no batched histogram. The counts are the matrix product of the one-hot codes of the two hexadecimal digits
    of the grey levels.
    """
    pixels = greys.shape[1] * greys.shape[2]
    flat = ops.reshape(greys, (-1, pixels))
    first = flat // BASE
    high, low = (one_hot(digit) for digit in (first, flat - BASE * first))
    return ops.reshape(ops.matmul(ops.transpose(high, (0, 2, 1)), low), (-1, GREYS))


def one_hot(digits: Any) -> Any:
    """Encode digits: int32 (N, P) to float32 (N, P, 16).

    This avoids ONNX' OneHot operator, because engines differ in the inputs that they accept for it.
    """
    return ops.cast(ops.equal(ops.expand_dims(digits, -1), np.arange(BASE, dtype=np.int32)), "float32")
