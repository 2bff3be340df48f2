"""Draw the evidence for pneumonia over a film."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pneumo_infer.films.raster import Film

# From dark blue through teal to yellow, with rising brightness. They stay distinguishable with colour blindness and in
# greyscale print, and none is a shade of grey that the film could contain.
EVIDENCE_COLOURS = ((20, 20, 90), (10, 90, 140), (20, 160, 140), (130, 200, 70), (255, 230, 40))
MAX_OPACITY = 0.6  # of the colours, at the strongest evidence and probability 1
STRIP_HEIGHT = 0.07  # height of a line of text, relative to the height of the film
MIN_FONT_SIZE = 6  # pixels
NOTICE_COLOUR = (255, 200, 60)
Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"


def draw_overlay(
    film: Film, heatmap: NDArray[np.float32], probability: float, caption: str, notice: str | None = None
) -> Image.Image:
    """Draw evidence over a film, with a caption, a colour scale and optionally a notice below it.

    Colours are relative to the position with the most evidence, and their opacity is proportional to the probability,
    so a film that is clearly NORMAL has almost no colour.

    Parameters
    ----------
    film
        uint8 (H, W).
    heatmap
        float32 (S, S) of any size, non-negative.
    probability
        P(PNEUMONIA).
    caption
        The text next to the colour scale.
    notice
        A line of text above the caption; None for no line.

    Returns
    -------
    PIL.Image.Image
        RGB, as wide as the film, and higher by one line of text, or two with a notice.
    """
    height, width = film.shape
    grey = np.repeat(film[:, :, None], 3, axis=2).astype(np.float32)
    evidence = _evidence(heatmap, width, height)
    opacity = (MAX_OPACITY * probability * evidence)[:, :, None]
    blended = (1 - opacity) * grey + opacity * _colours(evidence)
    strip = max(24, round(STRIP_HEIGHT * height))
    picture = Image.new("RGB", (width, height + (strip if notice is None else 2 * strip)))
    picture.paste(Image.fromarray(np.round(blended).astype(np.uint8)))
    if notice is not None:
        _write_notice(picture, height, strip, notice)
    _write_strip(picture, picture.height - strip, caption)
    return picture


def evidence_layer(heatmap: NDArray[np.float32], probability: float, width: int, height: int) -> Image.Image:
    """Draw evidence as a picture of its own, to be laid over the film with an opacity of `MAX_OPACITY` or another.

    Parameters
    ----------
    heatmap, probability
        As for `draw_overlay`.
    width, height
        Size of the picture in pixels.

    Returns
    -------
    PIL.Image.Image
        RGBA.
    """
    evidence = _evidence(heatmap, width, height)
    layer = np.concatenate([_colours(evidence), (255 * probability * evidence)[:, :, None]], axis=2)
    return Image.fromarray(np.round(layer).astype(np.uint8))


def _evidence(heatmap: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    strongest = float(heatmap.max())
    if strongest <= 0:
        return np.zeros((height, width), np.float32)
    relative = Image.fromarray(np.asarray(heatmap / strongest, dtype=np.float32))
    return np.asarray(relative.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)


def _colours(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
    positions = np.linspace(0, 1, len(EVIDENCE_COLOURS))
    channels = [np.interp(evidence, positions, levels) for levels in zip(*EVIDENCE_COLOURS, strict=True)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _write_notice(picture: Image.Image, top: int, strip: int, notice: str) -> None:
    draw = ImageDraw.Draw(picture)
    margin = strip // 4
    font = _fitting_font(draw, notice, picture.width - 2 * margin, strip // 2)
    draw.text((margin, top + strip // 2), notice, fill=NOTICE_COLOUR, font=font, anchor="lm")


def _write_strip(picture: Image.Image, top: int, caption: str) -> None:
    strip = picture.height - top
    margin = strip // 4
    scale_width = picture.width // 6
    ramp = np.broadcast_to(np.linspace(0, 1, scale_width, dtype=np.float32), (strip - 2 * margin, scale_width))
    scale = Image.fromarray(np.round(_colours(ramp)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    font = _fitting_font(draw, f"{caption}  less  more evidence", picture.width - scale_width - 5 * margin, strip // 2)
    middle = top + strip // 2
    draw.text((margin, middle), caption, fill="white", font=font, anchor="lm")
    right = picture.width - margin
    draw.text((right, middle), "more evidence", fill="white", font=font, anchor="rm")
    right -= round(draw.textlength("more evidence", font=font)) + margin
    picture.paste(scale, (right - scale_width, top + margin))
    draw.text((right - scale_width - margin, middle), "less", fill="white", font=font, anchor="rm")


def _fitting_font(draw: ImageDraw.ImageDraw, text: str, width: int, max_size: int) -> Font:
    for size in range(max_size, MIN_FONT_SIZE, -1):
        font = ImageFont.load_default(size)
        if draw.textlength(text, font=font) <= width:
            return font
    return ImageFont.load_default(MIN_FONT_SIZE)
