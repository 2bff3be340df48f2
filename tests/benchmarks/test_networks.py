"""An int8 engine is a target for speed only if it is as accurate as ours has to be."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy import Kept, hold_to_limits
from benchmarks.engines import INT8_PEERS
from benchmarks.networks import set_aims

RATIOS = {"onnxruntime, fp32": 3.2, "OpenVINO, fp32": 2.9, INT8_PEERS[0]: 0.9, INT8_PEERS[1]: 1.1}
TARGETS = np.repeat(np.float32([0, 1]), 500)


def probabilities(missed: int) -> np.ndarray:
    """All right but the first films of PNEUMONIA."""
    told = 0.1 + 0.8 * TARGETS
    told[500 : 500 + missed] = 0.2
    return told.astype(np.float32)


def kept(name: str, missed: int) -> Kept:
    return hold_to_limits(name, 0.5, TARGETS, probabilities(0), probabilities(missed))


def test_flipped_labels_are_counted_and_compared_with_the_limits() -> None:
    assert (kept("same", 0).flipped, kept("same", 0).within) == (0, True)
    lost = kept("lost", 50)
    assert (lost.flipped, lost.within) == (50, False)
    assert lost.sensitivity == pytest.approx(0.9)
    assert str(lost).endswith("50 labels flipped, outside the limits")


def test_targets_are_the_fastest_fp32_and_the_fastest_int8_within_the_limits() -> None:
    both = set_aims(RATIOS, [kept("ours", 0), kept(INT8_PEERS[0], 0), kept(INT8_PEERS[1], 0)])
    assert both == {"OpenVINO, fp32": ("at least", 1.8), INT8_PEERS[0]: ("at least", 1.0)}
    one = set_aims(RATIOS, [kept("ours", 0), kept(INT8_PEERS[0], 50), kept(INT8_PEERS[1], 0)])
    assert one == {"OpenVINO, fp32": ("at least", 1.8), INT8_PEERS[1]: ("at least", 1.0)}
    none = set_aims(RATIOS, [kept("ours", 0), kept(INT8_PEERS[0], 50), kept(INT8_PEERS[1], 50)])
    assert none == {"OpenVINO, fp32": ("at least", 1.8)}
