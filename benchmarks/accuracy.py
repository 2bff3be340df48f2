"""Whether a network in int8 keeps what `pneumo-export` holds ours to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pneumo_train.import_quietly import import_quietly
from pneumo_train.model.calibration import Scores

with import_quietly():
    from pneumo_export.parity.gates import LIMITS
    from pneumo_train.evaluation.metrics import figures_at


@dataclass(frozen=True, slots=True)
class Kept:
    """Figures of a network beside those of fp32, at one threshold.

    Attributes
    ----------
    flipped
        Labels that differ.
    within
        Whether ROC AUC, sensitivity and specificity differ by no more than the export's limits for int8.
    """

    name: str
    auc: float
    sensitivity: float
    specificity: float
    flipped: int
    within: bool

    def __str__(self) -> str:
        return (
            f"{self.name}: ROC AUC {self.auc:.4f}, sensitivity {self.sensitivity:.3f}, specificity "
            f"{self.specificity:.3f}, {self.flipped} labels flipped, {'within' if self.within else 'beyond'} the limits"
        )


def hold_to_limits(name: str, threshold: float, targets: Scores, fp32: Scores, int8: Scores) -> Kept:
    """Compare the probabilities of a network in fp32 and in int8, float32 (N,) each."""
    before, after = figures_at(threshold, targets, fp32), figures_at(threshold, targets, int8)
    limits = {"auc": LIMITS["int8"].auc, "sensitivity": LIMITS["int8"].point, "specificity": LIMITS["int8"].point}
    return Kept(
        name,
        **after,
        flipped=int(np.count_nonzero((fp32 >= threshold) != (int8 >= threshold))),
        within=all(abs(before[figure] - after[figure]) <= limit for figure, limit in limits.items()),
    )
