"""Films for the benchmarks."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
from PIL import Image

from pneumo_infer.cli.inputs import expand


def films_under(folder: Path) -> list[Path]:
    """Return the files that `pneumo-infer FOLDER` reads, in the same order."""
    return [Path(str(film)) for film in expand([str(folder)]).films]


def megapixels(files: list[Path]) -> float:
    """Return the mean size of films in megapixels."""
    sizes = []
    for file in files:
        with Image.open(file) as film:
            sizes.append(film.width * film.height / 1e6)
    return statistics.mean(sizes)


def noise_films(count: int) -> list[np.ndarray]:
    """Return films of noise, uint8 (1, 224, 224, 1) each."""
    return list(np.random.default_rng(0).integers(0, 256, (count, 1, 224, 224, 1), dtype=np.uint8))
