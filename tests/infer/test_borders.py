"""Uniform borders are cropped, and what is found in the film keeps its place."""

from __future__ import annotations

import io

import numpy as np
import pytest
from made_films import draw_film
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pneumo_infer.films.borders import content_box
from pneumo_infer.films.preprocess import NetworkInput, read_network_input, read_pixels

FILM = draw_film(4, height=300, width=360)
WHOLE = (0, 0, 360, 300)


def padded(left: int, top: int, right: int, bottom: int, grey: int = 0) -> NDArray[np.uint8]:
    return np.pad(FILM, ((top, bottom), (left, right)), constant_values=grey)


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("border", [(0, 60, 0, 60), (60, 0, 60, 0), (60, 60, 60, 60), (90, 0, 0, 0), (0, 40, 90, 0)])
def test_wide_borders_are_cropped(border: tuple[int, int, int, int], grey: int) -> None:
    left, top, _, _ = border
    assert content_box(Image.fromarray(padded(*border, grey=grey))) == (left, top, left + 360, top + 300)


def test_borders_after_jpeg_compression_are_cropped() -> None:
    file = io.BytesIO()
    Image.fromarray(padded(64, 64, 64, 64)).save(file, "JPEG", quality=60)
    box = content_box(Image.open(file))
    np.testing.assert_allclose(box, (64, 64, 424, 364), atol=8)  # a block of JPEG


@pytest.mark.parametrize("border", [(0, 0, 0, 0), (20, 20, 20, 20), (400, 0, 0, 0), (0, 160, 0, 160)])
def test_narrow_and_very_wide_borders_stay(border: tuple[int, int, int, int]) -> None:
    film = padded(*border)
    assert content_box(Image.fromarray(film)) == (0, 0, film.shape[1], film.shape[0])


@pytest.mark.parametrize("grey", [0, 255])
def test_a_blank_film_has_no_borders(grey: int) -> None:
    assert content_box(Image.new("L", (40, 50), grey)) == (0, 0, 40, 50)


def test_borders_of_two_greys_are_cropped() -> None:
    film = np.pad(padded(0, 60, 0, 0, grey=255), ((0, 0), (60, 0)), constant_values=0)
    film[:60] = 255
    assert content_box(Image.fromarray(film)) == (60, 60, 420, 360)


def test_the_network_sees_the_same_film_with_and_without_borders() -> None:
    seen = read_network_input(padded(60, 50, 60, 50))
    np.testing.assert_array_equal(seen.pixels, read_pixels(FILM))
    np.testing.assert_allclose(seen.crop, (60 / 480, 50 / 400, 420 / 480, 350 / 400))
    assert read_network_input(FILM).crop == (0, 0, 1, 1)


def test_a_film_of_the_networks_size_within_borders_is_not_resized() -> None:
    small = np.asarray(Image.fromarray(FILM).resize((224, 224)))
    np.testing.assert_array_equal(read_pixels(np.asarray(ImageOps.expand(Image.fromarray(small), 40))), small)


@pytest.mark.parametrize("size", [7, 10, 28])
def test_a_heatmap_is_placed_on_the_whole_film(size: int) -> None:
    heatmap = np.zeros((size, size), np.float32)
    heatmap[size // 4, size // 2] = 1
    placed = NetworkInput(FILM, (0.5, 0.0, 1.0, 0.5)).place(heatmap)  # the upper right quarter
    assert placed.shape == heatmap.shape
    row, column = np.unravel_index(placed.argmax(), placed.shape)
    expected = ((size // 4 + 0.5) / size / 2, 0.5 + (size // 2 + 0.5) / size / 2)
    np.testing.assert_allclose(((row + 0.5) / size, (column + 0.5) / size), expected, atol=0.75 / size)
    assert (placed[:, : size // 2] == 0).all()
    assert (placed[-(size // 2) :] == 0).all()
    np.testing.assert_array_equal(NetworkInput(FILM, (0.0, 0.0, 1.0, 1.0)).place(heatmap), heatmap)
