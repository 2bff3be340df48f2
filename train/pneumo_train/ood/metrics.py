"""What share of each kind of picture is beyond the domain's limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pneumo_infer.films.raster import Film
from pneumo_train.augmentation.degrade import degrade
from pneumo_train.evaluation.metrics import wilson_interval
from pneumo_train.model.calibration import Scores
from pneumo_train.ood.outliers import KINDS, make_outlier
from pneumo_train.ood.probes import draw_ood_probes

SEED = 35
MADE_OF = 100  # films that outliers of each kind are made of
AS_THEY_ARE, DEGRADED, DRAWN = "films as they are", "films degraded at random", "no films: drawn pictures"


def measure_ood(
    distance: Callable[[Film], Scores], limit: float, films: Film, others: Mapping[str, Film]
) -> dict[str, dict[str, Any]]:
    """Measure how many pictures are flagged: films, degraded copies, outliers made of them, drawings, other films.

    Parameters
    ----------
    distance
        uint8 (N, 224, 224, 1) to `domain_distance`, float32 (N,).
    films
        uint8 (N, 224, 224, 1), films that neither the model nor its domain was fitted on.
    others
        Kind to uint8 (N, 224, 224, 1), neither.

    Returns
    -------
    dict
        Kind to what `share_flagged` gives.
    """
    return {name: share_flagged(distance(shown), limit) for name, shown in _kinds(films, others)}


def share_flagged(distances: Scores, limit: float) -> dict[str, Any]:
    """How many pictures there are, what share is beyond the limit, and its 95 % Wilson interval."""
    flagged = int((distances > limit).sum())
    return {
        "films": len(distances),
        "share": flagged / len(distances),
        "interval": wilson_interval(flagged, len(distances)),
    }


def _kinds(films: Film, others: Mapping[str, Film]) -> Iterator[tuple[str, Film]]:
    yield AS_THEY_ARE, films
    yield DEGRADED, degrade(films, SEED)
    chosen = films[np.linspace(0, len(films) - 1, min(MADE_OF, len(films))).astype(int)]
    for kind in KINDS:
        yield f"films {kind}", make_outlier(kind, chosen, SEED)
    yield DRAWN, draw_ood_probes()
    yield from others.items()
