"""Check whether an int8 network stays within the limits that `pneumo-export` sets for ours."""

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
    """The accuracy of an int8 network at one threshold, compared with fp32.

    Attributes
    ----------
    flipped
        Number of labels that differ from fp32.
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
            f"{self.name}: ROC AUC {self.auc:.4f}, sensitivity {self.sensitivity:.3f}, "
            f"specificity {self.specificity:.3f}, {self.flipped} labels flipped, "
            f"{'within' if self.within else 'outside'} the limits"
        )


def hold_to_limits(name: str, threshold: float, targets: Scores, fp32: Scores, int8: Scores) -> Kept:
    """Compare the probabilities of a network in int8 with those in fp32.

    Parameters
    ----------
    targets
        float32 (N,), 1 for PNEUMONIA.
    fp32, int8
        float32 (N,), probabilities.
    """
    before, after = figures_at(threshold, targets, fp32), figures_at(threshold, targets, int8)
    limits = {"auc": LIMITS["int8"].auc, "sensitivity": LIMITS["int8"].point, "specificity": LIMITS["int8"].point}
    return Kept(
        name,
        **after,
        flipped=int(np.count_nonzero((fp32 >= threshold) != (int8 >= threshold))),
        within=all(abs(before[figure] - after[figure]) <= limit for figure, limit in limits.items()),
    )
