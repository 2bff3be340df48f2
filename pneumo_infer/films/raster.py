"""Convert any input to one greyscale film: uint8 (H, W), 0 = black, bone bright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pneumo_infer.errors import ImageError
from pneumo_infer.films.bounds.codestreams import require_jpeg_2000_size
from pneumo_infer.films.bounds.jpeg import require_reasonable_jpeg_exif, require_reasonable_scans
from pneumo_infer.films.bounds.memory import memory_of_picture
from pneumo_infer.films.bounds.reader import BoundedReader
from pneumo_infer.films.bounds.webp import require_reasonable_webp
from pneumo_infer.films.dicom import file as dicom
from pneumo_infer.films.dicom.header import FilmHeader
from pneumo_infer.films.grey import (
    keeps_high_bytes,
    orientation_of,
    require_full_range,
    to_eight_bits,
    to_grey,
    upright,
    white_of,
)
from pneumo_infer.films.host_settings import isolated
from pneumo_infer.films.source import FilmSource, read_bytes, source_name
from pneumo_infer.films.trace import note
from pneumo_infer.limits import LIMITS, Limits

Film: TypeAlias = NDArray[np.uint8]

FILE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "JPEG2000")  # those first that Pillow loads at once
FILE_SUFFIXES = (".jpeg", ".jpg", ".jp2", ".png", ".tiff", ".tif", ".bmp", ".webp", *dicom.FILE_SUFFIXES)
FORMAT_NAMES = "JPEG, JPEG 2000, PNG, TIFF, BMP, WebP or DICOM"


def read_film(source: FilmSource, limits: Limits = LIMITS, least_side: int | None = None) -> Film:
    """Read one film from a path, bytes, a binary stream, a Pillow image or an array.

    Parameters
    ----------
    source
        A JPEG, JPEG 2000, PNG, TIFF, BMP or WebP file (greyscale or colour, 1 to 32 bits) or a DICOM file (needs the
        extra `dicom`), as a path, bytes or a binary stream positioned at its start; a Pillow image; or an array of
        shape (H, W) or (H, W, 1|3). White is 255 in uint8, True in bool and 1 in floating-point arrays. In larger
        integers, white is the largest value of the depth in use: the smallest of 8, 10, 12, 14 and 16 bits that holds
        the film's maximum, because such files usually hold detector pixels of fewer bits. 16-bit colour in PNG and TIFF
        must use 16 bits.
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
    require_reasonable_jpeg_exif(encoded, name)
    require_reasonable_webp(encoded, name)
    reader = BoundedReader(encoded, name)
    try:
        image = Image.open(reader, formats=FILE_FORMATS)
        limits.require_pixels(*image.size, name)
        if _has_frames(image):
            raise ImageError(name, "has several frames", "export a single frame")
        if image.format == "JPEG2000":
            require_jpeg_2000_size(encoded, *image.size)
        if image.format in ("JPEG", "MPO"):
            if image.mode != "L" or image.info.get(
                "progressive"
            ):  # other grey films are decoded after their first scan
                require_reasonable_scans(encoded, image.width * image.height, name)
            size = None if least_side is None else (least_side, least_side)
            image.draft("L", size)  # decode straight to luma, at the smallest sufficient size
            image.decodermaxblock = len(encoded)  # one block: some rows at block boundaries are decoded twice
        limits.require_memory(memory_of_picture(image, len(encoded)), name)
        reader.begin_pixels()
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
        high_bytes = keeps_high_bytes(image)
        image.load()
        if high_bytes:
            require_full_range(image, name)
        return upright(to_grey(image, name), orientation_of(image, name))
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds of exceptions on damaged pixels
        raise _damaged(name, error) from error


def _array_to_grey(array: NDArray[Any], name: str, limits: Limits) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or 0 in array.shape:
        raise ImageError(name, "does not have the shape of a film", "give (H, W), (H, W, 1) or (H, W, 3)")
    limits.require_pixels(array.shape[1], array.shape[0], name)
    if array.dtype.kind not in "buif":
        raise ImageError(name, f"has pixels of type {array.dtype}", "convert them to integers, or to floats in 0..1")
    if array.dtype != np.uint8:
        array = to_eight_bits(array, white_of(array.dtype, array.min(), array.max(), name))
    return Image.fromarray(array).convert("L") if array.ndim == 3 else Image.fromarray(array)


def _damaged(name: str, error: Exception) -> ImageError:
    return ImageError(name, f"damaged or truncated ({error})", "copy the film again from its source")
