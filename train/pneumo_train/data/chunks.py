"""Split films into batches of constant size for everything that is computed film by film."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pneumo_infer.films.raster import Film

FILMS_PER_BATCH = 32


def in_batches(films: Film, size: int = FILMS_PER_BATCH) -> Iterator[Film]:
    """Yield batches of films, uint8 (B, 224, 224, 1) each, contiguous in memory; the last may be smaller."""
    for start in range(0, len(films), size):
        yield np.ascontiguousarray(films[start : start + size])
