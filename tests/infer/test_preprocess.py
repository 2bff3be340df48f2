"""The one resize of the project."""

from __future__ import annotations

import numpy as np
from made_films import SHARED_FILMS, draw_film
from PIL import Image

from pneumo_infer.images import read_film
from pneumo_infer.preprocess import film_to_pixels, read_pixels


def test_a_film_of_the_network_size_is_not_touched() -> None:
    film = draw_film(1, height=224, width=224)
    assert film_to_pixels(film) is film


def test_shrinking_antialiases() -> None:
    stripes = np.zeros((896, 896), np.uint8)
    stripes[::2] = 255
    pixels = film_to_pixels(stripes)
    assert pixels.shape == (224, 224)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - 128).max() < 16  # picking single rows would give 0 or 255


def test_the_aspect_ratio_is_squashed() -> None:
    film = np.zeros((100, 400), np.uint8)
    film[:, 200:] = 255
    pixels = film_to_pixels(film)
    assert pixels[:, :100].max() == 0
    assert pixels[:, 124:].min() == 255


def test_full_size_films_come_close_to_the_public_small_ones(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pairs = [
        (path, SHARED_FILMS / "chest_xray" / "train" / path.parent.name / path.name)
        for path in sorted(SHARED_FILMS.glob("full_size/*/*.jpeg"))
    ]
    if not pairs:
        large, small = tmp_path / "large.png", tmp_path / "small.png"
        Image.fromarray(draw_film(3, height=900, width=1200)).save(large)
        Image.fromarray(draw_film(3, height=900, width=1200)).resize((224, 224), Image.Resampling.LANCZOS).save(small)
        pairs = [(large, small)]
    differences = [np.abs(read_pixels(a).astype(int) - read_film(b)).mean() for a, b in pairs]
    assert np.mean(differences) < 2.5
