"""Ranges of activations are those that onnxruntime's own collector finds."""

from __future__ import annotations

import numpy as np
import pytest
from onnxruntime.quantization.calibrate import HistogramCollector

from pneumo_export.ranges import LargeMagnitudes


@pytest.mark.parametrize("percentile", [99.9, 99.999])
def test_the_large_magnitudes_tell_the_same_ranges_as_all(percentile: float) -> None:
    rng = np.random.default_rng(0)
    drawn = [(scale * rng.normal(size=200_000)).astype(np.float32) for scale in (1.0, 0.5, 3.0)]
    collected = [
        {"normal": [values], "rectified": [np.maximum(values, 0)], "negative": [-1 - np.abs(values)]}
        for values in drawn
    ]
    ours = LargeMagnitudes(percentile, 2048)
    theirs = HistogramCollector("percentile", True, 2048, 2048, percentile, "same")
    for batches in collected:
        ours.collect(batches)
        theirs.collect(batches)
    found, expected = ours.compute_collection_result(), theirs.compute_collection_result()
    assert {name: limits[:2] for name, limits in found.items()} == {name: lim[:2] for name, lim in expected.items()}


def test_a_percentile_that_the_large_ones_do_not_tell_is_refused() -> None:
    with pytest.raises(ValueError, match="above 99"):
        LargeMagnitudes(98.0, 2048)
