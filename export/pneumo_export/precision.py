"""fp32 to int8: static quantisation, calibrated on training films."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from pneumo_infer.images import Film

CALIBRATION_FILMS = 256
CALIBRATION_BATCH = 8
# The convolutions hold nearly all the work and weights; what follows them decides the last digits.
QUANTISED_OPERATORS = ["Conv", "Add", "MaxPool", "Pad", "Relu"]


class _Films(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, films: Film) -> None:
        self.batches: Iterator[dict[str, Any]] = (
            {"image": films[start : start + CALIBRATION_BATCH]} for start in range(0, len(films), CALIBRATION_BATCH)
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self.batches, None)


def choose_calibration_rows(rows: np.ndarray[Any, np.dtype[np.intp]], seed: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Draw the training films that int8's ranges are measured on."""
    drawn = np.random.default_rng(seed).permutation(rows)[:CALIBRATION_FILMS]
    return np.sort(drawn)


def quantise(fp32: Path, int8: Path, films: Film) -> None:
    """Write an int8 version of a graph.

    QDQ format, per channel, uint8 activations with int8 weights of 7 bits: without the eighth bit the sums of
    x86 processors without VNNI cannot saturate.

    Parameters
    ----------
    fp32, int8
        The file to read, the file to write.
    films
        uint8 (M, 224, 224, 1), training films.
    """
    prepared = int8.with_suffix(".prepared.onnx")
    try:
        quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(int8),
            _Films(films),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED_OPERATORS,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    finally:
        prepared.unlink(missing_ok=True)
    proto = onnx.load(int8)
    # The tool imports its own operator domains whether it used them or not.
    used = {node.domain for node in proto.graph.node}
    kept = [entry for entry in proto.opset_import if entry.domain in used or entry.domain == ""]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    onnx.save(proto, int8)
