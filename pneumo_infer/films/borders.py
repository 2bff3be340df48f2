"""Find the film within uniform borders, such as letterboxing or padding to a square."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_infer.films.raster import Film

Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom, in pixels

TOLERANCE = 8  # grey levels: the range of a border after JPEG compression
# A border narrower than this share of its side is left: one film in ten of the public data set has a narrow one, and
# the network was trained on these as they are.
MIN_SHARE = 1 / 12
SAMPLES = 16  # pixels of a line that show whether it can be uniform
MAX_SHARE = 0.5  # of a side, both borders together; wider ones are left, since little of the film remains


def content_box(film: Image.Image) -> Box:
    """Find the part of a film without uniform borders.

    A row or column belongs to a border if all its pixels lie within 8 grey levels of each other and of the border's
    other pixels. Rows are cropped before columns.

    Parameters
    ----------
    film
        A picture of mode `L`.

    Returns
    -------
    tuple of int
        Left, top, right and bottom in pixels; the whole film if it has no wide border.
    """
    if not _can_have_borders(film):
        return 0, 0, film.width, film.height
    pixels: Film = np.asarray(film)
    top, bottom = _crop(pixels)
    left, right = _crop(pixels[top:bottom].T)
    return left, top, right, bottom


def _can_have_borders(film: Image.Image) -> bool:
    """Whether some pixels of the outer and inner ends of wide borders are alike; to look at all takes far longer."""
    pixels: Any = film.load()
    right, bottom = film.width - 1, film.height - 1
    across, down = (math.ceil(MIN_SHARE * side) - 1 for side in film.size)
    columns, rows = range(0, right, right // SAMPLES + 1), range(0, bottom, bottom // SAMPLES + 1)
    sides = [[pixels[x, y] for x in columns for y in ends] for ends in ((0, down), (bottom - down, bottom))]
    sides += [[pixels[x, y] for y in rows for x in ends] for ends in ((0, across), (right - across, right))]
    return any(not side or max(side) - min(side) <= TOLERANCE for side in sides)


def _crop(lines: Film) -> tuple[int, int]:
    """Return the first and the last line, exclusive, that are not part of a wide border."""
    count = len(lines)
    before, after = _uniform_lines(lines), _uniform_lines(lines[::-1])
    if before + after > MAX_SHARE * count:
        return 0, count
    least = MIN_SHARE * count
    return (before if before >= least else 0), (count - after if after >= least else count)


def _uniform_lines(lines: Film) -> int:
    """Count the uniform lines at the start, looking at no more lines than necessary."""
    limit = int(MAX_SHARE * len(lines)) + 1
    step = max(1, len(lines) // 32)
    lowest, highest, count = 255, 0, 0
    while count < limit:
        part = lines[count : count + step]
        lows: NDArray[np.int16] = np.minimum.accumulate(np.minimum(part.min(axis=1), lowest)).astype(np.int16)
        highs: NDArray[np.int16] = np.maximum.accumulate(np.maximum(part.max(axis=1), highest)).astype(np.int16)
        uniform = int(((highs - lows) <= TOLERANCE).sum())  # monotonic, so these are the first
        count += uniform
        if uniform < len(part):
            break
        lowest, highest = int(lows[-1]), int(highs[-1])
    return count
