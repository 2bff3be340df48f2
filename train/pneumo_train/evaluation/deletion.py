"""Tests of heatmaps: the deletion test, and how often the hottest cell is in the lungs.

The deletion test blurs the hottest fifth of each film, and a random region of the same size. If a heatmap is faithful,
blurring the hottest fifth lowers the logit of PNEUMONIA much more (after Samek et al., "Evaluating the Visualization of
What a Deep Neural Network Has Learned", IEEE TNNLS 28, 2017, and Petsiuk et al., "RISE", BMVC 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from pneumo_infer.films.raster import Film
from pneumo_train.data.chunks import in_batches
from pneumo_train.data.lung_fields import SIDE, Mask, lung_fields
from pneumo_train.evaluation.metrics import wilson_interval
from pneumo_train.model.calibration import Scores

DELETED_SHARE = 0.2  # of the film's area
DELETED_PIXELS = round(DELETED_SHARE * SIDE * SIDE)
BLUR_SIGMA = 16  # in pixels at 224 px
NEARBY_SIGMA = 32  # large enough that its kernel, cut off at four sigma, covers more than a fifth of a film
SCORED_BY_DELETION = 3  # scores per film: unchanged, without its hottest part, without a random part
DRAWS = 1000
SEED = 34


@dataclass(frozen=True, slots=True)
class Deletion:
    """Results of the deletion test for each film.

    Attributes
    ----------
    maps
        float32 (N, S, S), the heatmaps.
    before, without_hottest, without_random
        float32 (N,), the logit of the unchanged film, without its hottest fifth, and without a random region of the
        same size.
    inside_lungs
        bool (N,), whether the centre of the hottest cell is in the lung field; False for blank maps.
    lungs_cover
        float64 (N,), share of the film that the lung field covers.
    """

    maps: Scores
    before: Scores
    without_hottest: Scores
    without_random: Scores
    inside_lungs: Mask
    lungs_cover: NDArray[np.float64]

    def figures(self, patients: Sequence[str]) -> dict[str, Any]:
        """Summarise the test: mean falls of the logit, their ratio, and the share of hottest cells in the lungs.

        The 95 % intervals of falls and ratio are bootstrap percentiles over patients, with a fixed seed. The interval
        of the share is Wilson's. The ratio, or an end of its interval, is None if the mean random fall is not positive.

        Parameters
        ----------
        patients
            Patient of each film, (N,).

        Returns
        -------
        dict
            The figures, JSON-ready.
        """
        hottest, random = _bootstrap_means(
            np.stack([self.before - self.without_hottest, self.before - self.without_random]), patients
        )
        ratio = _ratio(hottest, random)
        inside, films = int(self.inside_lungs.sum()), len(self.before)
        return {
            "films": films,
            "size": int(self.maps.shape[1]),
            "blank_maps": int((self.maps.max(axis=(1, 2)) <= 0).sum()),
            "deleted_share": DELETED_SHARE,
            "blur_sigma": BLUR_SIGMA,
            "fall_without_hottest": _with_interval(hottest),
            "fall_without_random": _with_interval(random),
            "ratio": _with_interval(ratio),
            "hottest_inside_lungs": {"value": inside / films, "interval": wilson_interval(inside, films)},
            "lungs_cover": float(self.lungs_cover.mean()),
        }


def delete_evidence(films: Film, logit: Callable[[Film], Scores], heatmaps: Callable[[Film], Scores]) -> Deletion:
    """Blur the hottest fifth of PNEUMONIA films, and a random region of the same size, and score the results.

    A blank map has no hottest fifth. For such a film, the random region is used in both cases.

    Parameters
    ----------
    films
        uint8 (N, 224, 224, 1), at least one.
    logit
        Function from films to the logit of PNEUMONIA, float32 (B,).
    heatmaps
        Function from films to evidence for PNEUMONIA, float32 (B, S, S), not negative.

    Raises
    ------
    ValueError
        `films` is empty, or the maps are not square.
    """
    if not len(films):
        raise ValueError("the deletion test needs at least one PNEUMONIA film")
    rng = np.random.default_rng(SEED)
    parts = [_delete_from(batch, logit, heatmaps, rng) for batch in in_batches(films)]
    return Deletion(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def hottest_part(heatmap: Scores) -> Mask:
    """Return the fifth of a film with the most evidence: heatmap (S, S) to mask, bool (224, 224).

    The heatmap is resized bilinearly. Among pixels with equal evidence, such as the zeros of a rectified map, those
    near other evidence come first, so that the part consists of connected regions.
    """
    image = Image.fromarray(np.asarray(heatmap, np.float32)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    evidence = np.asarray(image)
    nearby = ndimage.gaussian_filter(evidence, NEARBY_SIGMA, mode="constant")
    return _mask(np.lexsort((-nearby.ravel(), -evidence.ravel()))[:DELETED_PIXELS])


def random_part(rng: np.random.Generator) -> Mask:
    """Return the fifth of a film nearest to a random point, bool (224, 224): a disc, cut off at the film's edge."""
    row, column = rng.uniform(0, SIDE, 2)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    distance = (rows + 0.5 - row) ** 2 + (columns + 0.5 - column) ** 2
    return _mask(np.argpartition(distance.ravel(), DELETED_PIXELS)[:DELETED_PIXELS])


def blur_parts(films: Film, parts: Mask) -> Film:
    """Blur films, uint8 (N, 224, 224, 1), where `parts`, bool (N, 224, 224), is True."""
    blurred = ndimage.gaussian_filter(films.astype(np.float32), (0, BLUR_SIGMA, BLUR_SIGMA, 0), mode="nearest")
    return np.where(parts[..., None], np.round(blurred).astype(np.uint8), films)


def hottest_inside(maps: Scores, fields: Mask) -> Mask:
    """Return whether the centre of each map's hottest cell, (N, S, S), is in the lung field, bool (N, 224, 224)."""
    count, size = len(maps), maps.shape[1]
    rows, columns = np.divmod(maps.reshape(count, -1).argmax(axis=1), size)
    centres = ((np.stack([rows, columns]) + 0.5) * SIDE / size).astype(int)
    return np.asarray(fields[np.arange(count), centres[0], centres[1]] & (maps.max(axis=(1, 2)) > 0))


def _delete_from(
    films: Film, logit: Callable[[Film], Scores], heatmaps: Callable[[Film], Scores], rng: np.random.Generator
) -> tuple[Any, ...]:
    maps = heatmaps(films)
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2]:
        raise ValueError(f"heatmaps must be square, (N, S, S), not {maps.shape}")
    random = np.stack([random_part(rng) for _ in maps])
    hottest = np.stack([hottest_part(m) if m.max() > 0 else fallback for m, fallback in zip(maps, random, strict=True)])
    fields = lung_fields(films)
    return (
        maps,
        logit(films),
        logit(blur_parts(films, hottest)),
        logit(blur_parts(films, random)),
        hottest_inside(maps, fields),
        fields.mean(axis=(1, 2)),
    )


def _mask(pixels: NDArray[np.intp]) -> Mask:
    mask = np.zeros(SIDE * SIDE, dtype=bool)
    mask[pixels] = True
    return mask.reshape(SIDE, SIDE)


def _bootstrap_means(values: NDArray[Any], patients: Sequence[str]) -> NDArray[np.float64]:
    """Compute the mean of each row of values, (V, N), then its bootstrap means over patients: (V, 1 + DRAWS)."""
    _, groups = np.unique(np.asarray(patients), return_inverse=True)
    films = np.bincount(groups)
    sums = np.stack([np.bincount(groups, weights=row) for row in values])
    drawn = np.random.default_rng(SEED).integers(len(films), size=(DRAWS, len(films)))
    drawn_means = sums[:, drawn].sum(axis=2) / films[drawn].sum(axis=1)
    return np.concatenate([values.mean(axis=1, dtype=np.float64)[:, None], drawn_means], axis=1)


def _ratio(hottest: NDArray[np.float64], random: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(random > 0, hottest / np.where(random > 0, random, 1), np.inf)


def _with_interval(means: NDArray[np.float64]) -> dict[str, Any]:
    """Return the first mean with the percentiles of the others. Values that are not finite become None for JSON."""
    ends = np.percentile(means[1:], [2.5, 97.5], method="nearest")
    value, low, high = (float(x) if math.isfinite(x) else None for x in (means[0], *ends))
    return {"value": value, "interval": (low, high)}
