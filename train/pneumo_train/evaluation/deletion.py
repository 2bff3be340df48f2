"""Whether a heatmap shows what the network uses: the deletion test, and how often the hottest place is in the lungs.

The hottest fifth of each film is blurred away, and a random region of equal size: if the map is faithful, the logit of
PNEUMONIA falls much more without the first (after Samek et al., "Evaluating the Visualization of What a Deep Neural
Network Has Learned", IEEE TNNLS 28, 2017, and Petsiuk et al., "RISE", BMVC 2018).
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
from pneumo_train.data.lung_fields import SIDE, Mask, lung_fields
from pneumo_train.evaluation.metrics import wilson_interval
from pneumo_train.model.calibration import Scores

DELETED_SHARE = 0.2  # of the film's area
DELETED_PIXELS = round(DELETED_SHARE * SIDE * SIDE)
BLUR_SIGMA = 16  # pixels of a film of 224
NEARBY_SIGMA = 32  # so far that its kernel, cut at four times this, reaches over more than a fifth of a film
FILMS_AT_ONCE = 32
SCORED_BY_DELETION = 3  # times that each film is: as it is, without its hottest part, without a random one
DRAWS = 1000
SEED = 34


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of the logit of each film.

    Attributes
    ----------
    maps
        float32 (N, S, S), the heatmaps.
    before, without_hottest, without_random
        float32 (N,), the logit of the film as it is, and without its hottest fifth or a random region of that size.
    inside_lungs
        bool (N,), whether the middle of the map's hottest cell is in the lung field; never so where a map is blank.
    lungs_cover
        float64 (N,), share of the film that the lung field covers: how often a random place would be in it.
    """

    maps: Scores
    before: Scores
    without_hottest: Scores
    without_random: Scores
    inside_lungs: Mask
    lungs_cover: NDArray[np.float64]

    def figures(self, patients: Sequence[str]) -> dict[str, Any]:
        """Mean falls of the logit with 95 % intervals, their ratio, and the share of maps hottest in the lungs.

        Intervals of falls and ratio are percentiles over patients drawn anew (seeded), that of the share is Wilson's.
        A ratio, or an end of its interval, is None where the mean random fall is not above 0.

        Parameters
        ----------
        patients
            Of each film, (N,).
        """
        hottest, random = _draw_means(
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
    """Blur away the hottest fifth of films of PNEUMONIA, and a random region of equal size, and score what is left.

    A blank map knows no hottest fifth; of such a film the same random region is deleted twice.

    Parameters
    ----------
    films
        uint8 (N, 224, 224, 1), at least one.
    logit
        Films to the logit of PNEUMONIA, float32 (B,).
    heatmaps
        Films to evidence for PNEUMONIA, float32 (B, S, S), not negative.

    Raises
    ------
    ValueError
        There is no film, or the maps are not square.
    """
    if not len(films):
        raise ValueError("there is no film of PNEUMONIA to delete evidence from; give at least one")
    rng = np.random.default_rng(SEED)
    parts = [
        _delete_from(np.ascontiguousarray(films[start : start + FILMS_AT_ONCE]), logit, heatmaps, rng)
        for start in range(0, len(films), FILMS_AT_ONCE)
    ]
    return Deletion(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def hottest_part(heatmap: Scores) -> Mask:
    """The fifth of the film with the most evidence: (S, S), brought to the film's size bilinearly, to bool (224, 224).

    Of places with equal evidence, as where a rectified map is 0, those near other evidence are taken first, so that
    the part is whole regions and no scattered pixels.
    """
    image = Image.fromarray(np.asarray(heatmap, np.float32)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    evidence = np.asarray(image)
    nearby = ndimage.gaussian_filter(evidence, NEARBY_SIGMA, mode="constant")
    return _mask(np.lexsort((-nearby.ravel(), -evidence.ravel()))[:DELETED_PIXELS])


def random_part(rng: np.random.Generator) -> Mask:
    """The fifth of the film nearest to a random point: a disc that the film's edge cuts, and that is larger for it."""
    row, column = rng.uniform(0, SIDE, 2)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    distance = (rows + 0.5 - row) ** 2 + (columns + 0.5 - column) ** 2
    return _mask(np.argpartition(distance.ravel(), DELETED_PIXELS)[:DELETED_PIXELS])


def blur_parts(films: Film, parts: Mask) -> Film:
    """Blur films, uint8 (N, 224, 224, 1), where `parts`, bool (N, 224, 224), says so."""
    blurred = ndimage.gaussian_filter(films.astype(np.float32), (0, BLUR_SIGMA, BLUR_SIGMA, 0), mode="nearest")
    return np.where(parts[..., None], np.round(blurred).astype(np.uint8), films)


def hottest_inside(maps: Scores, fields: Mask) -> Mask:
    """Whether the middle of each map's hottest cell, (N, S, S), is in the lung field, bool (N, 224, 224)."""
    count, side = len(maps), maps.shape[1]
    rows, columns = np.divmod(maps.reshape(count, -1).argmax(axis=1), side)
    middles = ((np.stack([rows, columns]) + 0.5) * SIDE / side).astype(int)
    return np.asarray(fields[np.arange(count), middles[0], middles[1]] & (maps.max(axis=(1, 2)) > 0))


def _delete_from(
    films: Film, logit: Callable[[Film], Scores], heatmaps: Callable[[Film], Scores], rng: np.random.Generator
) -> tuple[Any, ...]:
    maps = heatmaps(films)
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2]:
        raise ValueError(f"heatmaps are {maps.shape}, not (N, S, S); give maps that are square")
    random = np.stack([random_part(rng) for _ in maps])
    hottest = np.stack(
        [hottest_part(m) if m.max() > 0 else by_chance for m, by_chance in zip(maps, random, strict=True)]
    )
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


def _draw_means(values: NDArray[Any], patients: Sequence[str]) -> NDArray[np.float64]:
    """Mean of each row of values, (V, N), of all films, and then of patients drawn anew: (V, 1 + draws)."""
    _, groups = np.unique(np.asarray(patients), return_inverse=True)
    films = np.bincount(groups)
    sums = np.stack([np.bincount(groups, weights=row) for row in values])
    drawn = np.random.default_rng(SEED).integers(len(films), size=(DRAWS, len(films)))
    drawn_means = sums[:, drawn].sum(axis=2) / films[drawn].sum(axis=1)
    return np.concatenate([values.mean(axis=1, dtype=np.float64)[:, None], drawn_means], axis=1)


def _ratio(hottest: NDArray[np.float64], random: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(random > 0, hottest / np.where(random > 0, random, 1), np.inf)


def _with_interval(drawn: NDArray[np.float64]) -> dict[str, Any]:
    """The first as value, the others' percentiles as interval; what is not finite as None, which JSON can hold."""
    ends = np.percentile(drawn[1:], [2.5, 97.5], method="nearest")
    value, low, high = (float(x) if math.isfinite(x) else None for x in (drawn[0], *ends))
    return {"value": value, "interval": (low, high)}
