"""Compute from the header of a picture how much memory reading it will take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

# Bytes for each pixel of a decoded picture. Pillow keeps three samples in four bytes.
MODE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
OTHER_MODES = 4
GREY_BYTES = 4  # for each pixel: the grey film, its crop, and copies while it becomes an array
ROW_BYTES = 16  # Pillow keeps a pointer for each row and aligns rows
TIFF_ROWS_PER_STRIP, TIFF_TILE_WIDTH, TIFF_TILE_LENGTH = 278, 322, 323  # TIFF 6.0, sections 8 and 15
TIFF_BITS = 258
JP2 = "JPEG2000"
DECODER_BYTES = {JP2: 4, "WEBP": 11}  # working memory for each pixel, of JPEG 2000 for each sample


def memory_of_grey(width: int, height: int) -> int:
    """Compute the memory in bytes for all that is done with a film once it is grey."""
    return GREY_BYTES * width * height


def memory_of_picture(image: Image.Image, encoded_size: int) -> int:
    """Compute the memory in bytes that reading an opened picture, of which no pixels are decoded, will take.

    The working memory of each decoder was measured; the tests of hostile files hold it to this.
    """
    width, height = image.size
    pixels = width * height
    decoded = MODE_BYTES.get(image.mode, OTHER_MODES) * pixels + ROW_BYTES * height
    return encoded_size + max(decoded + _of_decoder(image, encoded_size) + pixels, memory_of_grey(width, height))


def _of_decoder(image: Image.Image, encoded_size: int) -> int:
    pixels = image.width * image.height
    if image.format in ("JPEG", "MPO"):
        return 2 * encoded_size + _of_coefficients(image)
    if image.format == "TIFF":
        return _of_tiff(image)
    samples = len(image.getbands()) if image.format == JP2 else 1
    return DECODER_BYTES.get(image.format or "", 0) * pixels * samples


def _of_coefficients(image: Any) -> int:
    """A progressive JPEG film is kept as coefficients of two bytes, at its full size even if it is decoded smaller."""
    if not image.info.get("progressive"):
        return 0
    scale = image.decoderconfig[0] if image.decoderconfig else 1
    areas = [across * down for _id, across, down, _table in image.layer]
    densest = max(across for _, across, _, _ in image.layer) * max(down for _, _, down, _ in image.layer)
    return int(2 * image.width * image.height * scale**2 * sum(areas) // max(densest, 1))


def _of_tiff(image: Any) -> int:
    """A compressed strip or tile is decoded whole, with four bytes for each pixel or more."""
    if not image.tile or image.tile[0][0] != "libtiff":
        return 0
    tags = image.tag_v2
    width = tags.get(TIFF_TILE_WIDTH, image.width)
    length = tags.get(TIFF_TILE_LENGTH, min(tags.get(TIFF_ROWS_PER_STRIP, image.height), image.height))
    return int(width * length * max(4, sum(tags.get(TIFF_BITS, (1,))) // 8))
