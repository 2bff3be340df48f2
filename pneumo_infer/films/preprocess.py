"""Resize a greyscale film to the network's input. Nothing else in the project resizes films."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from pneumo_infer.films.raster import Film, FilmSource, read_grey
from pneumo_infer.limits import LIMITS, Limits

NETWORK_SIZE = 224
# JPEG films are decoded at a reduced size, with no side shorter than this. Over 86 full-size films, probabilities then
# differ from those of a full decode by at most 0.0061 (int8) and 0.0043 (fp16); with 672 by 0.0046 and 0.0021.
LEAST_DECODED_SIDE = 416
# Every model file stores this string; a model with a different one is rejected.
PREPROCESS = json.dumps(
    {"version": 1, "size": [NETWORK_SIZE, NETWORK_SIZE], "resize": "squash, Pillow bilinear with antialiasing"}
)


def film_to_pixels(film: Film) -> Film:
    """Resize a greyscale film to the network's square input.

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
        uint8 (224, 224). A film that already has this size is returned unchanged.
    """
    return _resize(Image.fromarray(film))


def read_pixels(source: FilmSource, limits: Limits = LIMITS) -> Film:
    """Read a film and resize it to the network's input.

    Parameters
    ----------
    source
        Anything `pneumo_infer.films.raster.read_film` accepts.
    limits
        Size limits.

    Returns
    -------
    numpy.ndarray
        uint8 (224, 224), 0 = black.

    Raises
    ------
    ImageError
        The source cannot be read as a film.
    """
    return _resize(read_grey(source, limits, LEAST_DECODED_SIDE))


def _resize(film: Image.Image) -> Film:
    if film.size != (NETWORK_SIZE, NETWORK_SIZE):
        film = film.resize((NETWORK_SIZE, NETWORK_SIZE), Image.Resampling.BILINEAR)
    return np.array(film, dtype=np.uint8)


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
