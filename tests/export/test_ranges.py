"""Ranges of activations are those that onnxruntime's own collector finds."""

from __future__ import annotations

import numpy as np
import pytest
from onnxruntime.quantization.calibrate import HistogramCollector

from pneumo_export.precisions.ranges import LargeMagnitudes


@pytest.mark.parametrize("percentile", [99.9, 99.999])
def test_the_large_magnitudes_tell_the_same_ranges_as_all(percentile: float) -> None:
    rng = np.random.default_rng(0)
    drawn = [(scale * rng.normal(size=200_000)).astype(np.float32) for scale in (1.0, 0.5, 3.0)]
    collected = [
        {
            "normal": [values],
            "rectified": [np.maximum(values, 0)],
            "negative": [-1 - np.abs(values)],
            "nearly always zero": [np.where(np.abs(values) > 3, values, 0)],
            "zero": [np.zeros_like(values)],
            "clipped": [np.clip(values, -1.5, 1.5)],
        }
        for values in drawn
    ]
    ours = LargeMagnitudes(percentile, 2048)
    theirs = HistogramCollector("percentile", True, 2048, 2048, percentile, "same")
    for batches in collected:
        ours.collect(batches)
        theirs.collect(batches)
    found, expected = ours.compute_collection_result(), theirs.compute_collection_result()
    assert {name: limits[:2] for name, limits in found.items()} == {name: lim[:2] for name, lim in expected.items()}


def test_a_percentile_below_the_large_magnitudes_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 99"):
        LargeMagnitudes(98.0, 2048)


def test_first_films_that_differ_too_much_are_refused() -> None:
    rng = np.random.default_rng(0)
    ours = LargeMagnitudes(99.9, 2048)
    for scale in (100.0, *[1.0] * 40):
        ours.collect({"values": [(scale * rng.normal(size=20_000)).astype(np.float32)]})
    with pytest.raises(ValueError, match="values: activations of the first films differ too much"):
        ours.compute_collection_result()
