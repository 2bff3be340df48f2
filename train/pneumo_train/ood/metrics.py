"""Share of images of each kind that the OOD detector flags."""

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
SOURCE_FILMS = 100  # films that outliers of each kind are made from
AS_THEY_ARE, DEGRADED, DRAWN = "films as they are", "films degraded at random", "drawings and patterns"


def measure_ood(
    distance: Callable[[Film], Scores], limit: float, films: Film, others: Mapping[str, Film]
) -> dict[str, dict[str, Any]]:
    """Measure how many images are flagged: films, degraded copies, outliers made from them, drawings, other films.

    Parameters
    ----------
    distance
        uint8 (N, 224, 224, 1) to `domain_distance`, float32 (N,).
    limit
        Distance beyond which an image is flagged.
    films
        uint8 (N, 224, 224, 1), films that neither the model nor its detector was fitted on.
    others
        Kind to uint8 (N, 224, 224, 1), other films that they were not fitted on.

    Returns
    -------
    dict
        Kind to the result of `share_flagged`.
    """
    return {name: share_flagged(distance(images), limit) for name, images in _images(films, others)}


def share_flagged(distances: Scores, limit: float) -> dict[str, Any]:
    """Compute the share of images beyond the limit, with its 95 % Wilson interval, and the number of images."""
    flagged = int((distances > limit).sum())
    return {
        "films": len(distances),
        "share": flagged / len(distances),
        "interval": wilson_interval(flagged, len(distances)),
    }


def _images(films: Film, others: Mapping[str, Film]) -> Iterator[tuple[str, Film]]:
    yield AS_THEY_ARE, films
    yield DEGRADED, degrade(films, SEED)
    chosen = films[np.linspace(0, len(films) - 1, min(SOURCE_FILMS, len(films))).astype(int)]
    for kind in KINDS:
        yield f"films {kind}", make_outlier(kind, chosen, SEED)
    yield DRAWN, draw_ood_probes()
    yield from others.items()
