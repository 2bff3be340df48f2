"""The one resize of the project."""

from __future__ import annotations

import io

import numpy as np
import pytest
from made_films import SHARED_FILMS, draw_film
from PIL import Image

from pneumo_infer.errors import ImageError
from pneumo_infer.films.preprocess import LEAST_DECODED_SIDE, film_to_pixels, read_pixels
from pneumo_infer.films.raster import read_film
from pneumo_infer.limits import Limits


def test_a_film_of_the_network_size_is_not_touched() -> None:
    film = draw_film(1, height=224, width=224)
    np.testing.assert_array_equal(film_to_pixels(film), film)


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


@pytest.mark.parametrize(("side", "decoded"), [(2400, 600), (1000, 500), (831, 831), (832, 416), (300, 300)])
def test_large_jpegs_are_decoded_no_larger_than_needed(side: int, decoded: int) -> None:
    file = io.BytesIO()
    Image.fromarray(draw_film(5, height=side, width=side + 100)).save(file, "JPEG", quality=95)
    encoded = file.getvalue()
    whole = read_film(encoded)
    assert whole.shape == (side, side + 100)
    assert read_film(encoded, least_side=LEAST_DECODED_SIDE).shape[0] == decoded
    assert np.abs(read_pixels(encoded).astype(int) - film_to_pixels(whole)).mean() < 0.5
    with pytest.raises(ImageError, match="pixels"):  # by its real size, although less of it would be decoded
        read_pixels(encoded, Limits(pixels=side * side))


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


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_blank_film_is_an_error(form: str, grey: int) -> None:
    file = io.BytesIO()
    Image.fromarray(np.full((300, 400), grey, np.uint8)).save(file, form)
    with pytest.raises(ImageError, match="blank: all its pixels are equal"):
        read_pixels(file.getvalue())
