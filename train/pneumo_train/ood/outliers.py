"""Outliers made from chest films: wrong anatomy, wrong view, wrong orientation.

Outlier exposure (Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure", ICLR 2019) needs images that
resemble chest films without being valid ones. Making them from the user's own films requires no other data, and they
differ from these films only in what the detector should recognise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageOps

from pneumo_infer.films.preprocess import NETWORK_SIZE
from pneumo_infer.films.raster import Film

Box = tuple[float, float, float, float]  # left, top, right, bottom, as fractions of the side


def make_outliers(films: Film, seed: int) -> dict[str, Film]:
    """Make one outlier of each kind from each film.

    Parameters
    ----------
    films
        uint8 (N, 224, 224, 1).
    seed
        The same films and seed give the same outliers.

    Returns
    -------
    dict
        Kind to uint8 (N, 224, 224, 1).
    """
    return {name: make_outlier(name, films, seed) for name in KINDS}


def make_outlier(kind: str, films: Film, seed: int) -> Film:
    """Make an outlier of one of `KINDS` from each film, uint8 (N, 224, 224, 1)."""
    number = list(KINDS).index(kind)
    made = np.empty(films.shape, np.uint8)
    for row, film in enumerate(films):
        rng = np.random.default_rng((seed, number, row))
        other = films[(row + 1) % len(films)]
        made[row, :, :, 0] = np.asarray(KINDS[kind](_image(film), _image(other), rng))
    return made


def _image(film: Film) -> Image.Image:
    return Image.fromarray(film[:, :, 0])


def _cut(film: Image.Image, box: Box) -> Image.Image:
    side = film.width
    left, top, right, bottom = (fraction * side for fraction in box)
    return film.resize(film.size, Image.Resampling.BICUBIC, box=(left, top, right, bottom))


def _like_an_adult(film: Image.Image, _: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Stretch the thorax: an adult's thorax fills the film from the shoulders to below the diaphragm.

    The upper part is stretched more than the lower one, since an adult's lungs are longer and the abdomen is cut off.
    """
    side, margin, top = film.width, rng.uniform(0.1, 0.22), rng.uniform(0.1, 0.22)
    bend, bottom = rng.uniform(0.4, 0.6), rng.uniform(0.7, 0.9)
    middle = top + (bottom - top) * rng.uniform(0.35, 0.5)
    upper = round(side * bend)
    stretched = Image.new("L", film.size)
    left, right = margin * side, (1 - margin) * side
    stretched.paste(film.resize((side, upper), Image.Resampling.BICUBIC, (left, top * side, right, middle * side)))
    lower = film.resize((side, side - upper), Image.Resampling.BICUBIC, (left, middle * side, right, bottom * side))
    stretched.paste(lower, (0, upper))
    return stretched


def _one_lung(film: Image.Image, _: Image.Image, rng: np.random.Generator) -> Image.Image:
    width, start = rng.uniform(0.4, 0.55), rng.uniform(0.0, 0.1)
    left = start if rng.random() < 0.5 else 1 - start - width
    return _cut(film, (left, rng.uniform(0, 0.1), left + width, rng.uniform(0.85, 1)))


def _upper_or_lower_half(film: Image.Image, _: Image.Image, rng: np.random.Generator) -> Image.Image:
    height = rng.uniform(0.4, 0.55)
    top = 0.0 if rng.random() < 0.5 else 1 - height
    return _cut(film, (0, top, 1, top + height))


def _heavy_crop(film: Image.Image, _: Image.Image, rng: np.random.Generator) -> Image.Image:
    kept = rng.uniform(0.25, 0.5)
    left, top = rng.uniform(0, 1 - kept, 2)
    return _cut(film, (left, top, left + kept, top + kept))


def _far_away(film: Image.Image, _: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Shrink the film onto a larger page, as in a photograph of a screen or an unfinished crop."""
    side = round(film.width * rng.uniform(0.3, 0.55))
    page = Image.new("L", film.size, int(rng.choice([0, int(rng.integers(256)), 255])))
    left, top = (int(offset) for offset in rng.integers(0, film.width - side, 2))
    page.paste(film.resize((side, side), Image.Resampling.BICUBIC), (left, top))
    return page


def _upside_down(film: Image.Image, _: Image.Image, rng: np.random.Generator) -> Image.Image:
    return film.rotate(180) if rng.random() < 0.5 else ImageOps.flip(film)


def _turned(film: Image.Image, _: Image.Image, rng: np.random.Generator) -> Image.Image:
    turned = film.rotate(90 if rng.random() < 0.5 else 270)
    return ImageOps.mirror(turned) if rng.random() < 0.3 else turned


def _inverted(film: Image.Image, _: Image.Image, __: np.random.Generator) -> Image.Image:
    return ImageOps.invert(film)


def _blended(film: Image.Image, other: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blend the film with another one that is upside down or turned."""
    overlay = _upside_down(other, film, rng) if rng.random() < 0.5 else _turned(other, film, rng)
    return Image.blend(film, overlay, rng.uniform(0.4, 0.6))


def _shuffled(film: Image.Image, _: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Shuffle the parts of a film, which keeps its texture but not its anatomy."""
    parts = int(rng.choice([2, 3, 4]))
    side = -(-NETWORK_SIZE // parts)
    places = [(column * side, row * side) for row in range(parts) for column in range(parts)]
    shuffled = Image.new("L", film.size)
    order = np.roll(rng.permutation(len(places)), 1) if parts > 2 else np.roll(np.arange(4), int(rng.integers(1, 4)))
    for place, source in zip(places, order, strict=True):
        left, top = places[source]
        shuffled.paste(film.crop((left, top, min(left + side, film.width), min(top + side, film.height))), place)
    return shuffled


def _bent(film: Image.Image, _: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Stretch the thorax in width or height far beyond its natural variation, and shear it."""
    slant, width = rng.uniform(0.25, 0.5) * rng.choice([-1, 1]), rng.uniform(1.5, 2.2)
    across, along = (width, 1 / width) if rng.random() < 0.5 else (1 / width, width)
    middle = film.width / 2
    a, b, d, e = 1 / across, slant, 0.0, 1 / along
    affine = (a, b, middle * (1 - a - b), d, e, middle * (1 - d - e))
    return film.transform(film.size, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)


KINDS: dict[str, Callable[[Image.Image, Image.Image, np.random.Generator], Image.Image]] = {
    "stretched like an adult's": _like_an_adult,
    "cropped to one lung": _one_lung,
    "cropped to the upper or lower half": _upper_or_lower_half,
    "cropped to a quarter of their area or less": _heavy_crop,
    "shrunk onto a page": _far_away,
    "upside down": _upside_down,
    "turned by 90 degrees": _turned,
    "inverted": _inverted,
    "blended with another film": _blended,
    "with parts shuffled": _shuffled,
    "bent": _bent,
}
