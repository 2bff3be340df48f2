"""Find the lungs on a frontal chest film of a child by fitting outlines, without a network.

Pneumonia can make most of a lung white, so a threshold alone would miss it. Each lung is an outline that can move, grow
and lean. The chosen pair is darkest in comparison with the tissue around it, with a penalty for unusual position, size
and asymmetry. A blank film gets the most likely pair. A lung field is the whole outline, including the lung behind the
heart. It is accurate to about 8 pixels, and is not a segmentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from pneumo_infer.films.raster import Film
from pneumo_train.data.chunks import in_batches

SIDE = 224
# Cells along a side of the shrunk film: to separate tissue from background, and to fit outlines.
TISSUE_CELLS, FITTED_CELLS = 56, 32
# Number of best outlines of each lung that are tried in pairs.
PAIRED = 150

# The lung on the left of the film: (0 medial to 1 lateral, 0 apex to 1 costophrenic angle). The right one mirrors it.
OUTLINE = np.array(
    [
        *((0.15, 0.06), (0.25, 0.015), (0.36, 0), (0.50, 0.015), (0.62, 0.05), (0.72, 0.11), (0.80, 0.20)),
        *((0.92, 0.42), (0.99, 0.70), (1, 1), (0.80, 0.93), (0.50, 0.88), (0.20, 0.90), (0.03, 0.96)),
        *((0, 0.75), (0.03, 0.50), (0.05, 0.25)),
    ]
)
MEDIAL, LATERAL, APEX, BASE, LEAN = range(5)

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Outlines:
    """All candidate outlines of a lung.

    Attributes
    ----------
    shapes
        float32 (K, 5): x of the medial and lateral edge and y of apex and base, in pixels; shear, in pixels of x per
        pixel of y.
    filters
        float32 (K, FITTED_CELLS ** 2); the product with a film is the brightness inside minus the brightness around.
    penalties
        float32 (K,), how unusual position, size and lean are.
    """

    shapes: Floats
    filters: Floats
    penalties: Floats


def lung_fields(films: Film) -> Mask:
    """Find the lung field of each film.

    Parameters
    ----------
    films
        uint8 (N, 224, 224) or (N, 224, 224, 1), frontal, 0 = black, head at the top.

    Returns
    -------
    numpy.ndarray
        bool (N, 224, 224), both lungs.

    Raises
    ------
    ValueError
        The array has another shape or type.
    """
    if films.dtype != np.uint8 or films.shape[1:] not in ((SIDE, SIDE), (SIDE, SIDE, 1)):
        raise ValueError(
            f"films are {films.dtype} {films.shape}, not uint8 (N, {SIDE}, {SIDE}); "
            "read them with pneumo_infer.films.preprocess.read_pixels"
        )
    grey = films.reshape(len(films), SIDE, SIDE)
    parts = [_fit(np.stack([_local_brightness(film) for film in batch])) for batch in in_batches(grey)]
    return np.concatenate(parts) if parts else np.zeros(grey.shape, dtype=bool)


def edges(fields: Mask) -> Mask:
    """Find the pixels along the inside of each region, bool (N, 224, 224)."""
    return np.asarray(fields & ~ndimage.binary_erosion(fields, np.ones((1, 3, 3), dtype=bool)))


def _local_brightness(film: NDArray[np.uint8]) -> Floats:
    """Compute brightness relative to nearby tissue, in standard deviations: float32 (FITTED_CELLS, FITTED_CELLS)."""
    smooth = ndimage.gaussian_filter(film.astype(np.float32), 1.5)
    size = SIDE // TISSUE_CELLS
    cells = smooth.reshape(TISSUE_CELLS, size, TISSUE_CELLS, size).mean((1, 3))
    background = _background(cells)
    tissue = (~background).astype(np.float32)
    above = (cells - _mean_nearby(cells, tissue, 9)) * tissue
    variance = _mean_nearby(above * above, tissue, 12)
    # Add 2 grey levels, so that noise is not amplified on a blank film.
    relative = np.clip(above / (np.sqrt(variance) + 2), -2.5, 2.5)
    # Make the background bright, so that no lung is fitted to it.
    relative[background & (film.max() > film.min())] = 1
    shrunk = Image.fromarray(relative).resize((FITTED_CELLS, FITTED_CELLS), Image.Resampling.BOX)
    return np.asarray(shrunk, dtype=np.float32)


def _mean_nearby(cells: Floats, tissue: Floats, sigma: float) -> Floats:
    """Compute the Gaussian-weighted mean of the tissue cells."""
    weight = ndimage.gaussian_filter(tissue, sigma)
    return np.asarray(ndimage.gaussian_filter(cells * tissue, sigma) / np.maximum(weight, 1e-3))


def _background(cells: Floats) -> Mask:
    """Find dark regions that touch the top, left or right edge of the film."""
    regions, _ = ndimage.label(cells < 0.45 * np.median(cells))
    at_edge = np.unique(np.concatenate([regions[0], regions[:, 0], regions[:, -1]]))
    return np.asarray(ndimage.binary_dilation(np.isin(regions, at_edge[at_edge > 0])))


def _fit(brightness: Floats) -> Mask:
    """Fill the best pair of outlines of each film: (N, FITTED_CELLS, FITTED_CELLS) to bool (N, 224, 224)."""
    outlines = _outlines()
    left, right = (
        -views.reshape(len(views), -1) @ outlines.filters.T - outlines.penalties
        for views in (brightness, brightness[:, :, ::-1])
    )
    fields = []
    for left_scores, right_scores in zip(left, right, strict=True):
        best_left, best_right = (np.argpartition(-scores, PAIRED)[:PAIRED] for scores in (left_scores, right_scores))
        pair_scores = left_scores[best_left][:, None] + right_scores[best_right]
        pair_scores -= _asymmetry(outlines.shapes[best_left][:, None], outlines.shapes[best_right][None])
        row, column = np.unravel_index(pair_scores.argmax(), pair_scores.shape)
        chosen = outlines.shapes[best_left[row]], outlines.shapes[best_right[column]]
        fields.append(_fill(chosen[0], SIDE) | _fill(chosen[1], SIDE)[:, ::-1])
    return np.stack(fields)


def _asymmetry(left: Floats, right: Floats) -> Floats:
    """Compute the penalty for asymmetry of two lungs; `right` is in coordinates of the mirrored film."""
    widths = (lung[..., MEDIAL] - lung[..., LATERAL] for lung in (left, right))
    mediastinum = SIDE - right[..., MEDIAL] - left[..., MEDIAL]
    total = (
        0.1 * ((left[..., APEX] - right[..., APEX]) / 20) ** 2
        + 0.1 * ((left[..., BASE] - right[..., BASE]) / 25) ** 2
        + 0.1 * ((next(widths) - next(widths)) / 25) ** 2
        + 0.1 * ((mediastinum - 25) / 20) ** 2
        + 0.25 * ((left[..., LEAN] + right[..., LEAN]) / 0.24) ** 2
    )
    return np.asarray(total, dtype=np.float32)


@cache
def _outlines() -> _Outlines:
    shapes = np.array(
        [
            (medial, medial - width, apex, apex + height, lean)
            for lean, medial, width, apex, height in product(
                (-0.12, 0, 0.12), range(70, 127, 8), range(40, 97, 8), range(0, 81, 8), range(88, 209, 12)
            )
            if medial >= width and 130 <= apex + height <= 220 and 1.3 * width <= height <= 3.6 * width
        ],
        dtype=np.float32,
    )
    inside = np.stack([_shrink(_fill(shape, 4 * FITTED_CELLS)) for shape in shapes])
    around = ndimage.maximum_filter(inside, size=(1, 5, 5)) - inside
    area = inside.sum((1, 2), keepdims=True)
    filters = inside / area - around / around.sum((1, 2), keepdims=True)
    # Mean contrast alone would prefer the darkest part of a lung to the whole lung.
    filters *= (area / np.median(area)) ** 0.22
    return _Outlines(shapes, filters.reshape(len(shapes), -1).astype(np.float32), _penalties(shapes))


def _penalties(shapes: Floats) -> Floats:
    medial, lateral, apex, base, lean = shapes.T
    total = (
        0.05 * ((apex - 38) / 20) ** 2
        + 0.05 * ((base - 180) / 25) ** 2
        + 0.05 * ((medial - lateral - 66) / 18) ** 2
        + 0.05 * ((medial - 98) / 15) ** 2
        + 0.08 * (lean / 0.12) ** 2
    )
    return np.asarray(total, dtype=np.float32)


def _fill(shape: Floats, side: int) -> Mask:
    """Fill an outline on a film of the given side length: bool (side, side)."""
    medial, lateral, apex, base, lean = shape
    y = apex + (base - apex) * OUTLINE[:, 1]
    x = medial + (lateral - medial) * OUTLINE[:, 0] + lean * (y - (apex + base) / 2)
    image = Image.new("L", (side, side))
    corners = np.stack([x, y], axis=1) * side / SIDE
    ImageDraw.Draw(image).polygon([(float(a), float(b)) for a, b in corners], fill=1)
    return np.asarray(image, dtype=bool)


def _shrink(filled: Mask) -> Floats:
    image = Image.fromarray(filled.astype(np.float32))
    return np.asarray(image.resize((FITTED_CELLS, FITTED_CELLS), Image.Resampling.BOX), dtype=np.float32)
