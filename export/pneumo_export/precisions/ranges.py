"""Measure the ranges of activations for int8 on training films, with onnxruntime's calibrators."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, create_calibrator
from onnxruntime.quantization.calibrate import HistogramCollector, save_tensors_data

from pneumo_infer.films.raster import Film
from pneumo_train.data.chunks import in_batches

BATCH = 8  # films, of which all activations are in memory at once
LARGE = 0.99  # quantile of the magnitudes of the first batch; smaller ones are counted in one bin


def write_ranges(
    graph: Path, ranges: Path, films: Film, operators: list[str], method: CalibrationMethod, percentile: float
) -> None:
    """Measure the ranges of the inputs and outputs of operators, and write them as JSON for `quantize_static`.

    Parameters
    ----------
    graph
        The ONNX file to run.
    ranges
        The JSON file to write.
    films
        uint8 (M, 224, 224, 1).
    operators
        Types of operators, such as `Conv`.
    percentile
        The percentile at which ranges end, for `CalibrationMethod.Percentile`.

    Raises
    ------
    ValueError
        The percentile is too low, or the first films differ too much from the others; see `LargeMagnitudes`.
    """
    augmented = ranges.with_suffix(".augmented.onnx")
    try:
        calibrator = create_calibrator(
            graph, operators, str(augmented), calibrate_method=method, extra_options={"percentile": percentile}
        )
        if method == CalibrationMethod.Percentile:
            calibrator.collector = LargeMagnitudes(percentile, calibrator.num_bins)
        with contextlib.redirect_stdout(io.StringIO()):  # the calibrator prints a line for each batch
            for batch in in_batches(films, BATCH):
                calibrator.collect_data(_OneBatch(batch))
            save_tensors_data(calibrator.compute_data(), ranges)
    finally:
        augmented.unlink(missing_ok=True)


class LargeMagnitudes(HistogramCollector):  # type: ignore[misc]
    """Finds the same percentiles as its base class from the largest hundredth of the activations alone.

    The base class sorts every activation into a histogram.

    Raises
    ------
    ValueError
        The percentile is not above 99, or lies below the largest hundredth of the first batch.
    """

    def __init__(self, percentile: float, num_bins: int) -> None:
        if percentile <= 100 * LARGE:
            raise ValueError(f"percentile must be above {100 * LARGE:g}, not {percentile}")
        super().__init__(
            method="percentile",
            symmetric=True,
            num_bins=num_bins,
            num_quantized_bins=num_bins,
            percentile=percentile,
            scenario="same",
        )
        self.cuts: dict[str, np.float32] = {}

    def collect_absolute_value(self, name_to_arr: dict[str, list[NDArray[np.float32]]]) -> None:
        for tensor, batches in name_to_arr.items():
            values = np.concatenate([batch.ravel() for batch in batches])
            magnitudes = np.abs(values)
            if tensor not in self.cuts:
                cut = np.quantile(magnitudes, LARGE)
                self.cuts[tensor] = cut if cut > magnitudes.min() else np.float32(-1)  # nearly all values are equal
            kept = magnitudes >= self.cuts[tensor]  # not >, because the cut may be the largest value
            # The bins span the smallest to the largest magnitude, and the extremes limit the range.
            kept[[magnitudes.argmin(), values.argmin(), values.argmax()]] = True
            super().collect_absolute_value({tensor: values[kept]})
            self.histogram_dict[tensor][0][0] += len(values) - np.count_nonzero(kept)

    def compute_percentile(self) -> dict[str, tuple[NDArray[np.float32], ...]]:
        found: dict[str, tuple[NDArray[np.float32], ...]] = super().compute_percentile()
        for tensor, (low, high, *_) in found.items():
            edges = self.histogram_dict[tensor][1]
            if max(abs(low), abs(high)) < self.cuts[tensor] - (edges[1] - edges[0]):
                raise ValueError(f"{tensor}: activations of the first films differ too much; calibrate on more films")
        return found


class _OneBatch(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, films: Film) -> None:
        self.waiting = iter([{"image": films}])

    def get_next(self) -> dict[str, Film] | None:
        return next(self.waiting, None)
