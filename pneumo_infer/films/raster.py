"""Convert any input to one greyscale film: uint8 (H, W), 0 = black, bone bright."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pneumo_infer.errors import ImageError
from pneumo_infer.films.dicom import file as dicom
from pneumo_infer.films.dicom.header import FilmHeader
from pneumo_infer.films.isolation import isolated
from pneumo_infer.films.jpeg_limits import require_reasonable_jpeg
from pneumo_infer.films.source import FilmSource, read_bytes, source_name
from pneumo_infer.films.trace import note
from pneumo_infer.limits import LIMITS, Limits

Film: TypeAlias = NDArray[np.uint8]

FILE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "JPEG2000")  # those first that Pillow loads at once
FILE_SUFFIXES = (".jpeg", ".jpg", ".jp2", ".png", ".tiff", ".tif", ".bmp", ".webp", *dicom.FILE_SUFFIXES)
FORMAT_NAMES = "JPEG, JPEG 2000, PNG, TIFF, BMP, WebP or DICOM"
ORIENTATION, UPRIGHT = 274, 1  # Exif 2.32, section 4.6.4
TIFF_BITS, TIFF_POLARITY, WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8
TIFF_SAMPLE_FORMAT, UNSIGNED = 339, 1  # TIFF 6.0, section 19
# Depths of detectors and files. A file of 16 or 32 bits rarely says how many of them its pixels use.
DEPTHS = (8, 10, 12, 14, 16)


def read_film(source: FilmSource, limits: Limits = LIMITS, least_side: int | None = None) -> Film:
    """Read one film from a path, bytes, a binary stream, a Pillow image or an array.

    Parameters
    ----------
    source
        A JPEG, JPEG 2000, PNG, TIFF, BMP or WebP file (greyscale or colour, 1 to 32 bits) or a DICOM file (needs the
        extra `dicom`), as a path, bytes or a binary stream positioned at its start; a Pillow image; or an array of
        shape (H, W) or (H, W, 1|3). White is 255 in uint8, True in bool and 1 in floating-point arrays. In larger
        integers, white is the largest value of the depth in use: the smallest of 8, 10, 12, 14 and 16 bits that holds
        the film's maximum, because such files usually hold detector pixels of fewer bits.
    limits
        Size limits.
    least_side
        Decode JPEG at a half, quarter or eighth of its size as long as no side becomes shorter than this. None decodes
        at full size.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W), 0 = black. EXIF orientation is applied, colour is converted to luma (ITU-R BT.601), transparent
        pixels become black, and TIFF files with WhiteIsZero are inverted. ICC profiles are ignored, as they were when
        the public 224-px films were made: of 89 full-size films 30 have a profile, and applying it raises their average
        difference from the 224-px films from 2.3 to 13.6 grey levels.

    Raises
    ------
    ImageError
        The source is missing, empty, damaged, in an unsupported format, or larger than the limits.
    """
    return np.array(read_grey(source, limits, least_side).image, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class GreyFilm:
    """A film as a Pillow image of mode `L`, and its header if it is a DICOM file."""

    image: Image.Image
    header: FilmHeader | None = None


def read_grey(source: FilmSource, limits: Limits = LIMITS, least_side: int | None = None) -> GreyFilm:
    """Read a film like `read_film`, but return it as a Pillow image with its header."""
    with isolated():
        return _read_grey(source, source_name(source), limits, least_side)


def _read_grey(source: FilmSource, name: str, limits: Limits, least_side: int | None) -> GreyFilm:
    if isinstance(source, np.ndarray):
        return GreyFilm(_array_to_grey(source, name, limits))
    if isinstance(source, Image.Image):
        return GreyFilm(_decode(source, name, limits))
    encoded = read_bytes(source, name, limits)
    if not encoded:
        raise ImageError(name, "empty file", "copy the film again from its source")
    if dicom.is_dicom(encoded):
        pixels, header = dicom.read_dicom(encoded, name, limits)
        return GreyFilm(_array_to_grey(pixels, name, limits), header)
    return GreyFilm(_decode(_open(encoded, name, limits, least_side), name, limits))


def _open(encoded: bytes, name: str, limits: Limits, least_side: int | None) -> Image.Image:
    require_reasonable_jpeg(encoded, name)
    try:
        image = Image.open(io.BytesIO(encoded), formats=FILE_FORMATS)
        limits.require_pixels(*image.size, name)
        if _has_frames(image):
            raise ImageError(name, "has several frames", "export a single frame")
        if image.format in ("JPEG", "MPO"):
            size = None if least_side is None else (least_side, least_side)
            image.draft("L", size)  # decode straight to luma, at the smallest sufficient size
            image.decodermaxblock = len(encoded)  # one block: some rows at block boundaries are decoded twice
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise limits.too_many_pixels(name, "the image") from error
    except UnidentifiedImageError:
        raise ImageError(name, f"not a {FORMAT_NAMES} file", "convert it to PNG") from None
    except Exception as error:  # Pillow's parsers raise many kinds of exceptions on damaged headers
        raise _damaged(name, error) from error
    note(f"file: {image.format}, mode {image.mode}, decoded to {image.width} x {image.height} pixels")
    return image


def _has_frames(image: Image.Image) -> bool:
    """Whether there is a second frame. TIFF does not say how many there are, and counting them reads the whole file."""
    if image.format == "MPO":  # a picture and its depth map, as phones write them
        return False
    if image.format != "TIFF":
        return bool(getattr(image, "n_frames", 1) > 1)
    try:
        image.seek(1)
    except EOFError:
        return False
    image.seek(0)
    return True


def _decode(image: Image.Image, name: str, limits: Limits) -> Image.Image:
    try:
        limits.require_pixels(*image.size, name)
        image.load()
        tags = getattr(image, "tag_v2", {})  # copies of the image lose these
        orientation = image.getexif().get(ORIENTATION, UPRIGHT)
        upright = orientation == UPRIGHT
        if not upright:
            note(f"EXIF orientation {orientation}: turned upright")
        return _to_grey(image if upright else ImageOps.exif_transpose(image), tags, name)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds of exceptions on damaged pixels
        raise _damaged(name, error) from error


def _to_grey(image: Image.Image, tags: Mapping[int, Any], name: str) -> Image.Image:
    if image.mode.startswith("I"):  # more than 8 bits: I;16, I;16B, and I in older versions of Pillow
        return Image.fromarray(_deep_to_grey(np.asarray(image), tags, name))
    if image.mode == "F":
        raise ImageError(name, "has floating-point pixels of unknown range", "scale them to 0..1 and pass an array")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
        note("transparent pixels: black")
    if image.mode != "L":
        note(f"mode {image.mode}: converted to luma")
    return image if image.mode == "L" else image.convert("L")


def _deep_to_grey(pixels: NDArray[Any], tags: Mapping[int, Any], name: str) -> Film:
    declared = tags.get(TIFF_BITS, (16,))[0]
    if pixels.dtype == np.int32 and declared == 32 and tags.get(TIFF_SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED:
        pixels = pixels.view(np.uint32)  # Pillow knows no unsigned pixels of 32 bits
    white = 2**declared - 1 if declared in DEPTHS[:-1] else _white(pixels, name)
    grey = _to_eight_bits(pixels, white)
    if tags.get(TIFF_POLARITY) != WHITE_IS_ZERO:
        return grey
    note("WhiteIsZero: inverted")  # Pillow inverts such films itself, but only those with 8 bits
    return np.uint8(255) - grey


def _array_to_grey(array: NDArray[Any], name: str, limits: Limits) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or 0 in array.shape:
        raise ImageError(name, "does not have the shape of a film", "give (H, W), (H, W, 1) or (H, W, 3)")
    limits.require_pixels(array.shape[1], array.shape[0], name)
    if array.dtype.kind not in "buif":
        raise ImageError(name, f"has pixels of type {array.dtype}", "convert them to integers, or to floats in 0..1")
    if array.dtype != np.uint8:
        array = _to_eight_bits(array, _white(array, name))
    return Image.fromarray(array).convert("L") if array.ndim == 3 else Image.fromarray(array)


def _white(array: NDArray[Any], name: str) -> int:
    """Return the value of white in an array, as described in `read_film`."""
    if array.dtype == np.bool_:
        return 1
    low, high = array.min(), array.max()
    white = 1
    if array.dtype.kind != "f":
        white = 2 ** next((bits for bits in DEPTHS if high < 2**bits), int(high).bit_length()) - 1
    if not (low >= 0 and high <= white):  # written this way so that NaN is rejected too
        remedy = "scale them so that 1 is white" if array.dtype.kind == "f" else "scale them to uint8 or uint16"
        raise ImageError(name, f"has pixels outside 0..{white}", remedy)
    note(f"pixels of type {array.dtype}: {low} to {high}, white is {white}")
    return white


def _to_eight_bits(pixels: NDArray[Any], white: int) -> Film:
    if pixels.dtype.kind == "f":
        return np.round(pixels * 255.0).astype(np.uint8)
    return ((pixels.astype(np.uint64) * 255 + white // 2) // white).astype(np.uint8)


def _damaged(name: str, error: Exception) -> ImageError:
    return ImageError(name, f"damaged or truncated ({error})", "copy the film again from its source")
