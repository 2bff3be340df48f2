"""Synthetic images that are not chest films, to test the OOD detector with."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pneumo_infer.films.preprocess import NETWORK_SIZE
from pneumo_infer.films.raster import Film

SIZE = (NETWORK_SIZE, NETWORK_SIZE)
PER_KIND = 20
SEED = 30


def draw_ood_probes() -> Film:
    """Draw blank images, noise, gradients, patterns, pages of text and drawings, uint8 (N, 224, 224, 1)."""
    rng = np.random.default_rng(SEED)
    kinds = (_blank, _noise, _ramp, _pattern, _page, _drawing, _blurred_drawing)
    images = [np.asarray(image) for kind in kinds for image in _draw(kind, rng)]
    return np.stack(images)[..., None]


def _draw(kind: Callable[[np.random.Generator], Image.Image], rng: np.random.Generator) -> Iterator[Image.Image]:
    return (kind(rng) for _ in range(PER_KIND))


def _blank(rng: np.random.Generator) -> Image.Image:
    return Image.new("L", SIZE, int(rng.integers(256)))


def _noise(rng: np.random.Generator) -> Image.Image:
    drawn = rng.normal(rng.uniform(60, 200), rng.uniform(5, 120), SIZE)
    return Image.fromarray(np.clip(drawn, 0, 255).astype(np.uint8))


def _ramp(rng: np.random.Generator) -> Image.Image:
    ramp = Image.linear_gradient("L") if rng.random() < 0.5 else Image.radial_gradient("L")
    return ramp.resize(SIZE).rotate(int(rng.integers(360)))


def _pattern(rng: np.random.Generator) -> Image.Image:
    width, height = rng.integers(4, 40, 2)
    rows, columns = np.indices(SIZE)
    return Image.fromarray(((rows // height + columns // width) % 2 * 255).astype(np.uint8))


def _page(rng: np.random.Generator) -> Image.Image:
    dark = rng.random() < 0.5
    page = Image.new("L", SIZE, 20 if dark else 250)
    draw = ImageDraw.Draw(page)
    size = int(rng.integers(8, 20))
    for top in range(4, NETWORK_SIZE - size, size + 4):
        letters = rng.choice(list(string.ascii_letters + " " * 12), 60)
        draw.text((6, top), "".join(letters), fill=230 if dark else 10, font_size=size)
    return page


def _drawing(rng: np.random.Generator) -> Image.Image:
    drawing = Image.new("L", SIZE, int(rng.integers(256)))
    draw = ImageDraw.Draw(drawing)
    for _ in range(12):
        (left, right), (top, bottom) = np.sort(rng.integers(0, NETWORK_SIZE, (2, 2)))
        shape = (draw.ellipse, draw.rectangle)[int(rng.integers(2))]
        shape((int(left), int(top), int(right), int(bottom)), fill=int(rng.integers(256)))
    return drawing


def _blurred_drawing(rng: np.random.Generator) -> Image.Image:
    return _drawing(rng).filter(ImageFilter.GaussianBlur(float(rng.uniform(2, 12))))
