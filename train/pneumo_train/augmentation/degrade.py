"""Degraded copies of films, as other programs and archives produce them: resized, blurred, toned, compressed.

Exporting a film again keeps its anatomy but changes its history of resizing and compression, which the early features
of a network recognise. So whatever is fitted to distinguish films from other images also needs copies with another
history.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from pneumo_infer.films.raster import Film

FILTERS = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
SIDES = (112, 448)  # px, range of the side that a film is resized to and back from
BLUR = (0.3, 1.2)  # px, standard deviation of a Gaussian
SHARPENING = (30, 150)  # per cent, of an unsharp mask
GAMMA = (0.7, 1.4)
CONTRAST = (0.75, 1.2)
BRIGHTNESS = (-20.0, 20.0)  # grey levels
JPEG_QUALITY = (30, 95)

Step = Callable[[Image.Image, np.random.Generator], Image.Image]


def degrade(films: Film, seed: int) -> Film:
    """Apply one to four random degradations to each film: resizing, blurring or sharpening, a tone curve, JPEG.

    Parameters
    ----------
    films
        uint8 (N, 224, 224, 1).
    seed
        The same films and seed give the same copies.

    Returns
    -------
    numpy.ndarray
        uint8 (N, 224, 224, 1).
    """
    copies = np.empty(films.shape, np.uint8)
    for number, film in enumerate(films):
        rng = np.random.default_rng((seed, number))
        copies[number, :, :, 0] = np.asarray(_degrade_one(Image.fromarray(film[:, :, 0]), rng))
    return copies


def _degrade_one(film: Image.Image, rng: np.random.Generator) -> Image.Image:
    chosen = rng.random(len(STEPS)) < 0.7
    chosen[rng.integers(len(STEPS))] = True
    for step, is_chosen in zip(STEPS, chosen, strict=True):
        if is_chosen:
            film = step(film, rng)
    return film


def _resize(film: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = round(np.exp(rng.uniform(*np.log(SIDES))))
    there, back = (FILTERS[choice] for choice in rng.integers(len(FILTERS), size=2))
    return film.resize((side, side), there).resize(film.size, back)


def _blur_or_sharpen(film: Image.Image, rng: np.random.Generator) -> Image.Image:
    radius = rng.uniform(*BLUR)
    if rng.random() < 0.5:
        return film.filter(ImageFilter.GaussianBlur(radius))
    return film.filter(ImageFilter.UnsharpMask(2 * radius, int(rng.integers(*SHARPENING)), threshold=0))


def _tone(film: Image.Image, rng: np.random.Generator) -> Image.Image:
    gamma, contrast, brightness = (rng.uniform(*limits) for limits in (GAMMA, CONTRAST, BRIGHTNESS))
    curve = 255 * np.linspace(0, 1, 256) ** gamma
    toned = np.clip(128 + contrast * (curve - 128) + brightness, 0, 255).round()
    return film.point([int(level) for level in toned])


def _compress(film: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    film.save(buffer, "JPEG", quality=int(rng.integers(*JPEG_QUALITY, endpoint=True)))
    return Image.open(buffer)


STEPS: tuple[Step, ...] = (_resize, _blur_or_sharpen, _tone, _compress)

LIMIT_SEED = 3


def with_degraded_copies(films: Film, seed: int = LIMIT_SEED) -> Film:
    """Return films and one degraded copy of each, uint8 (2 N, 224, 224, 1). The domain limit is chosen on these."""
    return np.concatenate([films, degrade(films, seed)])
