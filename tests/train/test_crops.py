"""Random crops have the published areas and aspect ratios, and do not change inference."""

from __future__ import annotations

import numpy as np

from pneumo_train.augmentation.crops import RandomResizedCrop


def coordinates(side: int = 64) -> np.ndarray:
    """Films whose two channels are each pixel's own row and column."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    return np.repeat(np.stack([rows, columns], axis=-1)[None], 200, axis=0)


def test_crops_have_the_areas_and_aspects_of_the_paper() -> None:
    films = coordinates()
    shown = np.asarray(RandomResizedCrop(0.08, seed=0)(films, training=True))
    assert shown.shape == films.shape
    # A crop is a straight stretch: its height and width follow from how far the coordinates reach.
    height = (shown[:, -1, 0, 0] - shown[:, 0, 0, 0]) / 63
    width = (shown[:, 0, -1, 1] - shown[:, 0, 0, 1]) / 63
    area = height * width
    assert 0.07 < area.min() < 0.15
    assert 0.9 < area.max() <= 1.0001
    assert 0.45 < area.mean() < 0.6
    inside = (height < 0.9) & (width < 0.9)  # the film's edge cuts larger ones
    aspect = (width / height)[inside]
    assert 0.74 < aspect.min() < 0.8
    assert 1.25 < aspect.max() < 1.35
    assert shown.min() >= 0
    assert shown.max() <= 63


def test_the_whole_film_is_left_as_it_is() -> None:
    films = coordinates()[:2]
    square = RandomResizedCrop(1.0, seed=0)
    shown = np.asarray(square(films, training=True))
    assert np.abs(shown - films).max() < 10  # all of the area, but for the aspect ratio that the edge allows
    np.testing.assert_array_equal(square(films, training=False), films)


def test_the_same_seed_crops_the_same() -> None:
    films = coordinates()[:4]
    once, again, other = (np.asarray(RandomResizedCrop(0.1, seed=s)(films, training=True)) for s in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
