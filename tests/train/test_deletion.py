"""The deletion test distinguishes faithful heatmaps from others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from pneumo_train.evaluation.deletion import (
    DELETED_PIXELS,
    blur_parts,
    delete_evidence,
    hottest_inside,
    hottest_part,
    random_part,
)

Floats = NDArray[np.float32]
SIDES = [7, 14, 28]
READ = slice(56, 88)  # rows and columns of the texture that `logit` depends on


def films_with_texture(count: int) -> NDArray[np.uint8]:
    """Grey films, with a texture that blurring removes in one place."""
    films = np.full((count, 224, 224, 1), 100, np.uint8)
    films[:, READ, READ] += np.random.default_rng(0).integers(0, 100, (count, 32, 32, 1), dtype=np.uint8)
    return films


def logit(films: NDArray[np.uint8]) -> Floats:
    return np.asarray(films[:, READ, READ].std(axis=(1, 2, 3)), np.float32)


def cell_of_texture(films: NDArray[np.uint8], side: int) -> Floats:
    maps = np.zeros((len(films), side, side), np.float32)
    maps[:, 72 * side // 224, 72 * side // 224] = 1
    return maps


@pytest.mark.parametrize("side", SIDES)
def test_a_faithful_map_makes_the_logit_fall_and_another_does_not(side: int) -> None:
    films = films_with_texture(40)
    patients = [str(row // 2) for row in range(40)]
    faithful = delete_evidence(films, logit, lambda batch: cell_of_texture(batch, side)).figures(patients)
    mirrored = delete_evidence(films, logit, lambda batch: cell_of_texture(batch, side)[:, ::-1, ::-1]).figures(
        patients
    )
    assert faithful["size"] == side
    assert faithful["fall_without_hottest"]["value"] > 10
    assert faithful["ratio"]["value"] > 2
    assert mirrored["ratio"]["value"] < 1
    for figure in ("fall_without_hottest", "fall_without_random", "ratio"):
        low, high = faithful[figure]["interval"]
        assert low <= faithful[figure]["value"] <= high
    assert faithful["fall_without_random"] == mirrored["fall_without_random"]
    json.dumps(faithful, allow_nan=False)


@pytest.mark.parametrize("side", SIDES)
def test_the_hottest_part_is_a_fifth_around_the_hottest_cell(side: int) -> None:
    rows, columns = np.mgrid[:side, :side]
    peak = 0.3 * side
    part = hottest_part(np.exp(-((rows - peak) ** 2 + (columns - peak) ** 2) / side).astype(np.float32))
    assert part.sum() == DELETED_PIXELS
    middle = np.array(np.nonzero(part)).mean(axis=1)
    np.testing.assert_allclose(middle, (peak + 0.5) * 224 / side, atol=224 / side / 2)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("corner", [0, -1])
def test_around_a_single_cell_the_part_is_still_one_region(side: int, corner: int) -> None:
    heatmap = np.zeros((side, side), np.float32)
    heatmap[corner, corner] = 1
    part = hottest_part(heatmap)
    assert part[corner, corner]
    assert part.sum() == DELETED_PIXELS
    assert ndimage.label(part)[1] == 1


def test_a_random_region_is_deleted_if_the_map_is_blank() -> None:
    blank = delete_evidence(films_with_texture(20), logit, lambda batch: np.zeros((len(batch), 7, 7), np.float32))
    np.testing.assert_array_equal(blank.without_hottest, blank.without_random)
    figures = blank.figures([str(row) for row in range(20)])
    assert figures["blank_maps"] == 20
    assert figures["hottest_inside_lungs"]["value"] == 0


def test_random_parts_are_whole_and_as_large() -> None:
    rng = np.random.default_rng(0)
    parts = [random_part(rng) for _ in range(50)]
    assert {int(part.sum()) for part in parts} == {DELETED_PIXELS}
    assert {ndimage.label(part)[1] for part in parts} == {1}
    assert (np.mean(parts, axis=0) > 0).all()


def test_only_the_part_is_blurred() -> None:
    films = films_with_texture(2)
    part = np.zeros((2, 224, 224), bool)
    part[0, READ, READ] = True
    blurred = blur_parts(films, part)
    assert blurred.dtype == np.uint8
    np.testing.assert_array_equal(blurred[1], films[1])
    np.testing.assert_array_equal(blurred[0][~part[0]], films[0][~part[0]])
    assert logit(blurred)[0] < logit(films)[0] / 4


@pytest.mark.parametrize("side", SIDES)
def test_a_map_is_hottest_inside_the_lungs_where_its_cell_is(side: int) -> None:
    maps = np.zeros((3, side, side), np.float32)
    maps[0, side // 2, 1] = maps[1, side // 2, side - 2] = 1  # and the last one is blank
    fields = np.zeros((3, 224, 224), bool)
    fields[:, :, :112] = True
    assert hottest_inside(maps, fields).tolist() == [True, False, False]


def test_a_logit_that_no_random_part_lowers_has_no_ratio() -> None:
    films = films_with_texture(3)
    constant = delete_evidence(films, lambda batch: np.ones(len(batch), np.float32), lambda b: cell_of_texture(b, 7))
    figures = constant.figures(["a", "b", "c"])
    assert figures["ratio"] == {"value": None, "interval": (None, None)}
    assert figures["fall_without_hottest"]["value"] == 0


def test_what_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="at least one PNEUMONIA film"):
        delete_evidence(films_with_texture(0), logit, lambda batch: cell_of_texture(batch, 7))
    with pytest.raises(ValueError, match="square"):
        delete_evidence(films_with_texture(1), logit, lambda batch: cell_of_texture(batch, 7)[:, :3])
