"""Shifts that real films suffer, applied to films that the model has not learnt from.

Accuracy on films from the same machine saturates; how much of it survives these changes tells more about the next
hospital (Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions", ICLR 2019).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from pneumo_infer.images import Film
from pneumo_train.calibrate import Scores
from pneumo_train.measures import measure, ranking

Shift = Callable[[Image.Image], Image.Image]
NOISE_SEED = 20


def _crop(image: Image.Image, kept: float) -> Image.Image:
    side = image.width
    margin = side * (1 - kept) / 2
    box = (margin, margin, side - margin, side - margin)
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


def _noise(image: Image.Image, deviation: float) -> Image.Image:
    drawn = np.random.default_rng(NOISE_SEED).normal(0, deviation, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image) + drawn, 0, 255).astype(np.uint8))


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


SHIFTS: dict[str, Shift] = {
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
    "JPEG quality 15": partial(_jpeg, quality=15),
    "resampled by nearest neighbour": partial(_resample, resampling=Image.Resampling.NEAREST),
    "resampled by Lanczos": partial(_resample, resampling=Image.Resampling.LANCZOS),
    "white border of 10 pixels": partial(_border, width=10, grey=255),
    "black border of 10 pixels": partial(_border, width=10, grey=0),
    "burned-in markers": _marker,
}


def shift_films(pixels: Film, name: str) -> Film:
    """Apply one of `SHIFTS` to films.

    Parameters
    ----------
    pixels
        uint8 (N, 224, 224, 1).

    Returns
    -------
    numpy.ndarray
        uint8 (N, 224, 224, 1).
    """
    shifted = [np.asarray(SHIFTS[name](Image.fromarray(film[:, :, 0])).convert("L")) for film in pixels]
    return np.stack(shifted)[..., None]


def measure_stress(
    score: Callable[[Film], Scores], pixels: Film, targets: Scores, threshold: float, shifts: Iterable[str] = SHIFTS
) -> dict[str, dict[str, float]]:
    """ROC AUC, and sensitivity and specificity at a threshold, under each shift and, as `worst`, the least of each.

    Parameters
    ----------
    score
        uint8 (N, 224, 224, 1) to calibrated P(PNEUMONIA), float32 (N,).
    pixels, targets
        The films and, 1 for PNEUMONIA, their truth.
    """
    figures: dict[str, dict[str, float]] = {}
    for shift in shifts:
        probabilities = score(shift_films(pixels, shift))
        decided = measure(targets, probabilities, threshold)
        figures[shift] = {
            "auc": ranking(targets, probabilities)["auc"],
            "sensitivity": decided["sensitivity"],
            "specificity": decided["specificity"],
        }
    if figures:
        measured = ("auc", "sensitivity", "specificity")
        figures["worst"] = {name: min(row[name] for row in figures.values()) for name in measured}
    return figures
