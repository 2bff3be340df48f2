"""Corruptions that occur in practice, applied to held-out films.

Accuracy on films from the same machine saturates. Accuracy on corrupted films predicts better how a model performs in
another hospital (Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions", ICLR 2019).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypedDict

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from pneumo_infer.films.raster import Film
from pneumo_train.evaluation.metrics import metrics_at_threshold, threshold_free_metrics
from pneumo_train.model.calibration import Scores

Corruption = Callable[[Image.Image], Image.Image]
NOISE_SEED = 20
FIGURES = ("auc", "sensitivity", "specificity")


class WorstFigure(TypedDict):
    """The lowest value of a figure over all corruptions, and the corruption."""

    corruption: str
    value: float


def _crop(image: Image.Image, kept: float) -> Image.Image:
    size = image.width
    margin = size * (1 - kept) / 2
    box = (margin, margin, size - margin, size - margin)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def _shrink(image: Image.Image, share: float) -> Image.Image:
    small = image.resize((round(image.width * share),) * 2, Image.Resampling.BICUBIC)
    return _on_black(small, image.size)


def _on_black(small: Image.Image, size: tuple[int, int]) -> Image.Image:
    framed = Image.new("L", size, 0)
    framed.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
    return framed


def _brightness(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


def _contrast(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(factor)


def _gamma(image: Image.Image, exponent: float) -> Image.Image:
    return image.point([round(255 * (level / 255) ** exponent) for level in range(256)])


def _s_curve(image: Image.Image, strength: float) -> Image.Image:
    """Blend each level with the smoothstep curve 3 x^2 - 2 x^3; a negative strength flattens the middle instead."""
    levels = np.arange(256) / 255
    curve = levels + strength * (levels**2 * (3 - 2 * levels) - levels)
    return image.point([round(255 * level) for level in curve])


def _sharpen(image: Image.Image, amount: int) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(radius=2, percent=amount, threshold=0))


def _equalise_locally(image: Image.Image, tiles: int, clipped_at: float) -> Image.Image:
    """Apply contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994).

    The curve of each tile is computed from its histogram, clipped at `clipped_at` times the mean count. Between the
    centres of tiles, the curves are interpolated linearly.
    """
    levels = np.asarray(image)
    height, width = (side // tiles for side in levels.shape)
    curves = np.empty((tiles, tiles, 256))
    for row, column in np.ndindex(tiles, tiles):
        tile = levels[row * height : (row + 1) * height, column * width : (column + 1) * width]
        counts = np.bincount(tile.ravel(), minlength=256).astype(float)
        clipped = np.minimum(counts, clipped_at * tile.size / 256)
        clipped += (tile.size - clipped.sum()) / 256
        curves[row, column] = 255 * np.cumsum(clipped) / tile.size
    rows, columns = (np.clip((np.arange(s) + 0.5) * tiles / s - 0.5, 0, tiles - 1) for s in levels.shape)
    top, left = (np.minimum(position.astype(int), tiles - 2) for position in (rows, columns))
    down, right = (rows - top)[:, None], (columns - left)[None]
    upper, lower = (
        curves[at[:, None], left, levels] * (1 - right) + curves[at[:, None], left + 1, levels] * right
        for at in (top, top + 1)
    )
    return Image.fromarray((upper * (1 - down) + lower * down).round().astype(np.uint8))


def _noise(image: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(NOISE_SEED).normal(0, deviation, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def _blur(image: Image.Image, radius: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def _resample(image: Image.Image, resampling: Image.Resampling) -> Image.Image:
    smaller = image.resize((160, 160), resampling)
    return smaller.resize(image.size, resampling)


def _rotate(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BILINEAR)


def _stretch(image: Image.Image, share: float) -> Image.Image:
    narrow = image.resize((round(image.width * share), image.height), Image.Resampling.BICUBIC)
    return _on_black(narrow, image.size)


def _border(image: Image.Image, width: int, grey: int) -> Image.Image:
    return ImageOps.expand(ImageOps.crop(image, width), width, fill=grey)


def _marker(image: Image.Image) -> Image.Image:
    marked = image.copy()
    draw = ImageDraw.Draw(marked)
    draw.rectangle((6, 6, 42, 26), fill=0)
    draw.text((10, 8), "L AP", fill=255, font_size=14)
    draw.text((150, 205), "12:34 SUPINE", fill=255, font_size=10)
    return marked


CORRUPTIONS: dict[str, Corruption] = {
    "crop to 80 %": partial(_crop, kept=0.8),
    "crop to 65 %": partial(_crop, kept=0.65),
    "shrunk to 80 % on black": partial(_shrink, share=0.8),
    "narrowed to 75 %": partial(_stretch, share=0.75),
    "turned 8 degrees left": partial(_rotate, degrees=8),
    "turned 8 degrees right": partial(_rotate, degrees=-8),
    "darker, 0.6 of the light": partial(_brightness, factor=0.6),
    "brighter, 1.4 of the light": partial(_brightness, factor=1.4),
    "contrast halved": partial(_contrast, factor=0.5),
    "contrast by 1.6": partial(_contrast, factor=1.6),
    "gamma 0.6": partial(_gamma, exponent=0.6),
    "gamma 1.6": partial(_gamma, exponent=1.6),
    "noise of 10 grey levels": partial(_noise, deviation=10),
    "blur of 1.5 pixels": partial(_blur, radius=1.5),
    "blur of 2.5 pixels": partial(_blur, radius=2.5),
    "sharpened mildly": partial(_sharpen, amount=100),
    "sharpened strongly": partial(_sharpen, amount=300),
    "histogram equalised": ImageOps.equalize,
    "histogram equalised locally": partial(_equalise_locally, tiles=8, clipped_at=2.0),
    "gamma 0.7": partial(_gamma, exponent=0.7),
    "gamma 1.4": partial(_gamma, exponent=1.4),
    "S-curve": partial(_s_curve, strength=1.0),
    "inverse S-curve": partial(_s_curve, strength=-1.0),
    "JPEG quality 15": partial(_jpeg, quality=15),
    "resampled by nearest neighbour": partial(_resample, resampling=Image.Resampling.NEAREST),
    "resampled by Lanczos": partial(_resample, resampling=Image.Resampling.LANCZOS),
    "white border of 10 pixels": partial(_border, width=10, grey=255),
    "black border of 10 pixels": partial(_border, width=10, grey=0),
    "burned-in markers": _marker,
}


def corrupt(pixels: Film, name: str) -> Film:
    """Apply a corruption to films.

    Parameters
    ----------
    pixels
        uint8 (N, 224, 224, 1).
    name
        A key of `CORRUPTIONS`.

    Returns
    -------
    numpy.ndarray
        uint8 (N, 224, 224, 1).
    """
    corrupted = [np.asarray(CORRUPTIONS[name](Image.fromarray(film[:, :, 0])).convert("L")) for film in pixels]
    return np.stack(corrupted)[..., None]


def measure_corruptions(
    score: Callable[[Film], Scores],
    pixels: Film,
    targets: Scores,
    threshold: float,
    corruptions: Iterable[str] = CORRUPTIONS,
) -> dict[str, dict[str, float]]:
    """Compute ROC AUC, and sensitivity and specificity at a threshold, under each corruption.

    Parameters
    ----------
    score
        Function from films, uint8 (N, 224, 224, 1), to calibrated P(PNEUMONIA), float32 (N,).
    pixels
        The films, uint8 (N, 224, 224, 1).
    targets
        (N,), 1 for PNEUMONIA.
    threshold
        Probability from which a film is classified as PNEUMONIA.
    corruptions
        Keys of `CORRUPTIONS`.

    Returns
    -------
    dict
        Corruption to `auc`, `sensitivity` and `specificity`.
    """
    figures: dict[str, dict[str, float]] = {}
    for corruption in corruptions:
        probabilities = score(corrupt(pixels, corruption))
        decisions = metrics_at_threshold(targets, probabilities, threshold)
        figures[corruption] = {
            "auc": threshold_free_metrics(targets, probabilities)["auc"],
            "sensitivity": decisions["sensitivity"],
            "specificity": decisions["specificity"],
        }
    return figures


def worst_corruptions(figures: Mapping[str, Mapping[str, float]]) -> dict[str, WorstFigure]:
    """Find the lowest `auc`, `sensitivity` and `specificity` in the result of `measure_corruptions`."""
    worst = {figure: min(figures, key=lambda name: figures[name][figure]) for figure in FIGURES if figures}
    return {figure: {"corruption": name, "value": figures[name][figure]} for figure, name in worst.items()}
