"""Convert decoded pictures and arrays to grey, strip by strip where that takes less memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pneumo_infer.errors import ImageError
from pneumo_infer.films.bounds.exif import require_reasonable_exif
from pneumo_infer.films.strips import strips
from pneumo_infer.films.trace import note

ORIENTATION, UPRIGHT = 274, 1  # Exif 2.32, section 4.6.4
RAW_PROFILE = "Raw profile type exif"
TIFF_BITS, TIFF_POLARITY, WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8
TIFF_SAMPLE_FORMAT, UNSIGNED = 339, 1  # TIFF 6.0, section 19
# Depths of detectors and files. A file of 16 or 32 bits rarely says how many of them its pixels use.
DEPTHS = (8, 10, 12, 14, 16)


def orientation_of(image: Image.Image, name: str) -> int:
    """Return the EXIF orientation of a picture, 1 to 8; raise ImageError if its EXIF metadata are unreasonable."""
    require_reasonable_exif(image.info.get("exif") or b"", name)
    if RAW_PROFILE in image.info:  # how ImageMagick writes EXIF to PNG: three lines, then hexadecimal digits
        require_reasonable_exif(bytes.fromhex("".join(image.info[RAW_PROFILE].split("\n")[3:])), name)
    return int(image.getexif().get(ORIENTATION, UPRIGHT))


def upright(grey: Image.Image, orientation: int) -> Image.Image:
    """Turn a film once it is grey, which takes less memory than in colour."""
    if orientation == UPRIGHT:
        return grey
    note(f"EXIF orientation {orientation}: turned upright")
    grey.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(grey)


def to_grey(image: Image.Image, name: str) -> Image.Image:
    """Convert a picture of any mode to mode `L` as `read_film` describes; raise ImageError for an unknown range."""
    if image.mode.startswith("I"):  # more than 8 bits: I;16, I;16B, and I in older versions of Pillow
        return _deep_to_grey(image, name)
    if image.mode == "F":
        raise ImageError(name, "has floating-point pixels of unknown range", "scale them to 0..1 and pass an array")
    if image.has_transparency_data:
        note("transparent pixels: black")
        return _in_strips(image, _without_transparency)
    if image.mode != "L":
        note(f"mode {image.mode}: converted to luma")
    return image if image.mode == "L" else image.convert("L")


def keeps_high_bytes(image: Image.Image) -> bool:
    """Whether Pillow will decode the high byte of each sample only, since it has no colour of more than 8 bits."""
    tiles = getattr(image, "tile", None)
    if not tiles or image.mode not in ("RGB", "RGBA"):
        return False
    options = tiles[0][3]
    return ";16" in str(options[0] if isinstance(options, tuple) else options)


def require_full_range(high_bytes: Image.Image, name: str) -> None:
    """Refuse 16-bit colour that uses at most 14 bits: what is left of it is too dark, and has few greys.

    Raises
    ------
    ImageError
        The film is of this kind.
    """
    extrema: Any = high_bytes.getextrema()
    if max(high for _low, high in extrema[:3]) < 2 ** (14 - 8):
        raise ImageError(name, "16-bit colour that uses at most 14 bits", "save it in grey, or scale it to 16 bits")


def _parts(image: Image.Image) -> Iterator[Image.Image]:
    for rows in strips(*image.size):
        yield image.crop((0, rows.start, image.width, rows.stop))


def _in_strips(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Convert a picture to grey strip by strip, so that only one strip is there in two or more forms."""
    grey, top = Image.new("L", image.size), 0
    for part in _parts(image):
        grey.paste(convert(part), (0, top))
        top += part.height
    return grey


def _without_transparency(image: Image.Image) -> Image.Image:
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image.convert("RGBA")).convert("L")


def _deep_to_grey(image: Image.Image, name: str) -> Image.Image:
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    declared = tags.get(TIFF_BITS, (16,))[0]
    # Pillow has no mode for unsigned pixels of 32 bits.
    unsigned = declared == 32 and tags.get(TIFF_SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED

    def pixels(strip: Image.Image) -> NDArray[Any]:
        values = np.asarray(strip)
        return values.view(np.uint32) if unsigned and values.dtype == np.int32 else values

    ranges = [(part.min(), part.max(), part.dtype) for part in map(pixels, _parts(image))]
    if declared in DEPTHS[:-1]:
        white = 2**declared - 1
    else:
        white = white_of(ranges[0][2], min(low for low, _, _ in ranges), max(high for _, high, _ in ranges), name)
    inverted = tags.get(TIFF_POLARITY) == WHITE_IS_ZERO
    if inverted:
        note("WhiteIsZero: inverted")  # Pillow inverts such films itself, but only those with 8 bits

    def shown(strip: Image.Image) -> Image.Image:
        grey = to_eight_bits(pixels(strip), white)
        return Image.fromarray(np.uint8(255) - grey if inverted else grey)

    return _in_strips(image, shown)


def white_of(dtype: np.dtype[Any], low: Any, high: Any, name: str) -> int:
    """Return the value of white in pixels of this type and range as `read_film` describes, or raise ImageError."""
    if dtype == np.bool_:
        return 1
    white = 1
    if dtype.kind != "f":
        white = 2 ** next((bits for bits in DEPTHS if high < 2**bits), int(high).bit_length()) - 1
    if not (low >= 0 and high <= white):  # written this way so that NaN is rejected too
        remedy = "scale them so that 1 is white" if dtype.kind == "f" else "scale them to uint8 or uint16"
        raise ImageError(name, f"has pixels outside 0..{white}", remedy)
    note(f"pixels of type {dtype}: {low} to {high}, white is {white}")
    return white


def to_eight_bits(pixels: NDArray[Any], white: int) -> NDArray[np.uint8]:
    """Scale pixels of any type so that `white` becomes 255; uint8 of the same shape."""
    grey = np.empty(pixels.shape, np.uint8)
    for rows in strips(pixels[0].size, len(pixels)):
        if pixels.dtype.kind == "f":
            grey[rows] = np.round(pixels[rows] * 255.0)
        else:
            grey[rows] = (pixels[rows].astype(np.uint64) * 255 + white // 2) // white
    return grey
