"""Crop and resize a greyscale film to the network's input. Nothing else in the project resizes films."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_infer.errors import ImageError
from pneumo_infer.films.borders import content_box
from pneumo_infer.films.dicom.header import FilmHeader
from pneumo_infer.films.raster import Film, GreyFilm, read_grey
from pneumo_infer.films.source import FilmSource, read_bytes, source_name
from pneumo_infer.films.trace import note
from pneumo_infer.limits import LIMITS, Limits

NETWORK_SIZE = 224
# JPEG films are decoded at a reduced size, with no side shorter than this. Over 86 full-size films, probabilities then
# differ from those of a full decode by at most 0.0061 (int8) and 0.0043 (fp16); with 672 by 0.0046 and 0.0021.
LEAST_DECODED_SIDE = 416
# Every model file stores this string; a model with a different one is rejected.
PREPROCESS = json.dumps(
    {"version": 1, "size": [NETWORK_SIZE, NETWORK_SIZE], "resize": "squash, Pillow bilinear with antialiasing"}
)
WHOLE_FILM = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """A film as the network sees it.

    Attributes
    ----------
    pixels
        uint8 (224, 224), 0 = black.
    crop
        The part of the film that `pixels` shows: left, top, right and bottom as fractions of its width and height.
    header
        The header of a DICOM film.
    view
        The whole film for display, uint8 (H, W), if it was asked for.
    """

    pixels: Film
    crop: tuple[float, float, float, float] = WHOLE_FILM
    header: FilmHeader | None = None
    view: Film | None = None

    def place(self, heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
        """Place a heatmap of the network's input, float32 (S, S), on the whole film; 0 on cropped borders."""
        if self.crop == WHOLE_FILM:
            return heatmap
        size = len(heatmap)
        left, top, right, bottom = self.crop
        middles = (np.arange(size) + 0.5) / size
        rows, columns = (middles - top) / (bottom - top), (middles - left) / (right - left)
        placed = _between(_between(heatmap, rows).T, columns).T
        inside = ((rows > 0) & (rows < 1))[:, None] & ((columns > 0) & (columns < 1))
        return np.where(inside, placed, 0).astype(np.float32)


def _between(lines: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate linearly between lines whose middles are spread evenly over 0..1."""
    at = (places * len(lines) - 0.5).clip(0, len(lines) - 1)
    before = np.floor(at).astype(np.intp)
    after = np.minimum(before + 1, len(lines) - 1)
    share = (at - before)[:, None]
    return np.asarray((1 - share) * lines[before] + share * lines[after])


def film_to_pixels(film: Film) -> Film:
    """Crop uniform borders off a greyscale film, and resize it to the network's square input.

    The aspect ratio is not kept, because it was not kept in the public 224-px training films. Of Pillow's filters,
    bilinear comes closest to how those were made: over 89 films that exist at full size and at 224 px, it differs by
    2.08 grey levels on average (Hamming 2.31, bicubic 2.35, box 2.42, Lanczos 2.55).

    Parameters
    ----------
    film
        uint8 (H, W), 0 = black.

    Returns
    -------
    numpy.ndarray
        uint8 (224, 224). A film that already has this size and no borders is returned unchanged.
    """
    return _network_input(GreyFilm(Image.fromarray(film))).pixels


def read_pixels(source: FilmSource, limits: Limits = LIMITS) -> Film:
    """Read a film like `read_network_input`, but return its pixels only: uint8 (224, 224), 0 = black."""
    return read_network_input(source, limits).pixels


def read_network_input(source: FilmSource, limits: Limits = LIMITS, view: int | None = None) -> NetworkInput:
    """Read a film, crop its uniform borders and resize it to the network's input.

    Parameters
    ----------
    source
        Anything `pneumo_infer.films.raster.read_film` accepts.
    limits
        Size limits.
    view
        Also keep the whole film for display, with its longer side at most this many pixels.

    Raises
    ------
    ImageError
        The source cannot be read as a film, or is blank.
    """
    if view is not None:
        if not isinstance(source, (Image.Image, np.ndarray)):
            source = read_bytes(source, source_name(source), limits)  # since a stream can be read only once
        return replace(read_network_input(source, limits), view=_read_view(source, limits, view))
    grey = read_grey(source, limits, LEAST_DECODED_SIDE)
    darkest, brightest = grey.image.getextrema()
    if darkest == brightest:
        raise ImageError(source_name(source), "blank: all its pixels are equal", "export the film again")
    return _network_input(grey)


def _read_view(source: FilmSource, limits: Limits, side: int) -> Film:
    # Decoded again, since the network's input must not depend on the size that is shown.
    film = read_grey(source, limits, side).image
    film.thumbnail((side, side), Image.Resampling.BILINEAR)
    return np.array(film, dtype=np.uint8)


def _network_input(grey: GreyFilm) -> NetworkInput:
    film = grey.image
    left, top, right, bottom = box = content_box(film)
    width, height = film.size
    if box != (0, 0, width, height):
        note(f"uniform borders: cropped to columns {left} to {right} and rows {top} to {bottom} of {width} x {height}")
        film = film.crop(box)  # before resizing, so that no pixel of a border is averaged in
    if film.size != (NETWORK_SIZE, NETWORK_SIZE):
        note(f"resized from {film.width} x {film.height} to {NETWORK_SIZE} x {NETWORK_SIZE}")
        film = film.resize((NETWORK_SIZE, NETWORK_SIZE), Image.Resampling.BILINEAR)
    crop = (left / width, top / height, right / width, bottom / height)
    return NetworkInput(np.array(film, dtype=np.uint8), crop, grey.header)


def fill_up(films: Film, batch_size: int) -> Film:
    """Pad a batch with blank films to a fixed size. The caller ignores the outputs for them.

    CUDA selects kernels and allocates memory for each new batch size, which takes longer than running the batch.

    Parameters
    ----------
    films
        uint8 (N, 224, 224, 1), N at most `batch_size`.

    Returns
    -------
    numpy.ndarray
        uint8 (batch_size, 224, 224, 1).
    """
    blank = np.zeros((batch_size - len(films), *films.shape[1:]), films.dtype)
    return np.concatenate([films, blank])
