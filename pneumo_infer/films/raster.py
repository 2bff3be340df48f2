"""Any input to one grey film: uint8 (H, W), 0 = black, bone bright."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pneumo_infer.errors import ImageError
from pneumo_infer.films import dicom
from pneumo_infer.limits import LIMITS, Limits

Film: TypeAlias = NDArray[np.uint8]
FilmSource: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO | Image.Image | NDArray[Any]"

FILE_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
FILE_SUFFIXES = (".jpeg", ".jpg", ".png", ".tiff", ".tif", ".bmp", ".webp", *dicom.FILE_SUFFIXES)
READABLE = "JPEG, PNG, TIFF, BMP, WebP or DICOM"
PIECE = 2**16  # bytes
ORIENTATION, UPRIGHT = 274, 1  # Exif 2.32, section 4.6.4
TIFF_BITS, TIFF_POLARITY, WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8


def read_film(source: FilmSource, limits: Limits = LIMITS, least_side: int | None = None) -> Film:
    """Read one film from a path, bytes, a binary stream, a Pillow image or an array.

    Parameters
    ----------
    source
        A JPEG, PNG, TIFF, BMP or WebP file (grey or colour, 1 to 16 bit) or a DICOM file (with the extra `dicom`) as a
        path, as bytes or as a stream at its beginning; a Pillow image; or an array (H, W) or (H, W, 1|3). White is 255
        in uint8, 65535 in uint16, True in bool and 1 in any float. In the other integer types it is 255 where nothing
        in the film is above that, else 65535, since they hold what was 8 or 16 bits before someone computed with it.
    limits
        How large a film may be.
    least_side
        Where a film only has to be this large, JPEG is decoded at a half, quarter or eighth of its size as long as no
        side gets shorter than that; under None everything comes as large as it is.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W), 0 = black. EXIF orientation is applied, colour becomes luma (ITU-R BT.601), transparent
        pixels are black, a TIFF whose white is zero is inverted. ICC profiles are set aside, as they were when the
        public films were shrunk: with the profile that 30 of 89 of them carry the films at full size are 13.6 grey
        levels away from those at 224 px on average, without it 2.3.

    Raises
    ------
    ImageError
        The source is missing, empty, truncated, not a film, or larger than the limits.
    """
    return np.array(read_grey(source, limits, least_side), dtype=np.uint8)


def read_grey(source: FilmSource, limits: Limits = LIMITS, least_side: int | None = None) -> Image.Image:
    """Read a film as `read_film` does, as a Pillow image of mode `L`."""
    name = source_name(source)
    if isinstance(source, np.ndarray):
        return _array_to_grey(source, name, limits)
    if isinstance(source, Image.Image):
        return _decode(source, name, limits)
    encoded = _read_bytes(source, name, limits)
    if not encoded:
        raise ImageError(name, "is empty", "copy the film again from where it was made")
    if dicom.is_dicom(encoded):
        return _array_to_grey(dicom.read_dicom(encoded, name, limits), name, limits)
    return _decode(_open(encoded, name, limits, least_side), name, limits)


def source_name(source: FilmSource) -> str:
    """Name a source for records and error messages: its path where it has one, else what kind of thing it is."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, bytes):
        return f"<{len(source)} bytes>"
    if isinstance(source, np.ndarray):
        return f"<array {source.dtype} {source.shape}>"
    named = getattr(source, "filename", None) or getattr(source, "name", None)
    return named if isinstance(named, str) and named else f"<{type(source).__name__}>"


def _read_bytes(source: str | os.PathLike[str] | bytes | BinaryIO, name: str, limits: Limits) -> bytes:
    if isinstance(source, bytes):
        limits.require_bytes(len(source), name)
        return source
    try:
        if isinstance(source, (str, os.PathLike)):
            with Path(source).open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size  # 0 where nobody knows, as of a pipe
                encoded = _read_at_most(limits.encoded_bytes + 1, file, size + 1 if size else PIECE)
        else:
            encoded = _read_at_most(limits.encoded_bytes + 1, source)
    except FileNotFoundError:
        raise ImageError(name, "does not exist", "check the path") from None
    except IsADirectoryError:
        raise ImageError(
            name, "is a folder without films", "give a film, or on the command line a folder of them"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(name, f"cannot be read ({reason})", "check the path and its permissions") from error
    except AttributeError:
        raise ImageError(
            name, "is no film", "give a path, bytes, a binary stream, a Pillow image or a numpy array"
        ) from None
    except TypeError:
        raise ImageError(name, "is a text stream", "open it in binary mode ('rb')") from None
    limits.require_bytes(len(encoded), name)
    return encoded


def _read_at_most(most: int, stream: BinaryIO | io.FileIO, piece: int = PIECE) -> bytes:
    # Asked for all that the limits allow at once, a file first gets as much memory, which takes longer than to read it.
    pieces: list[bytes] = []
    while most > 0 and (read := stream.read(min(most, piece))):
        pieces.append(read)
        most -= len(read)
        piece = PIECE
    return b"".join(pieces)


def _open(encoded: bytes, name: str, limits: Limits, least_side: int | None) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(encoded), formats=FILE_FORMATS)
        limits.require_pixels(*image.size, name)
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            raise ImageError(name, f"has {frames} frames", "export the one that is the film")
        if image.format == "JPEG":
            size = None if least_side is None else (least_side, least_side)
            image.draft("L", size)  # straight to luma, and no larger than needed
            image.decodermaxblock = len(encoded)  # at each end of a block some rows are decoded twice
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise limits.too_many_pixels(name, "far") from error
    except UnidentifiedImageError:
        raise ImageError(name, f"is not a {READABLE} film", "convert it to PNG first") from None
    except Exception as error:  # Pillow's parsers raise nearly anything on damaged headers
        raise _damaged(name, error) from error
    return image


def _decode(image: Image.Image, name: str, limits: Limits) -> Image.Image:
    try:
        limits.require_pixels(*image.size, name)
        image.load()
        tags = getattr(image, "tag_v2", {})  # which no copy of the image keeps
        upright = image.getexif().get(ORIENTATION, UPRIGHT) == UPRIGHT
        return _to_grey(image if upright else ImageOps.exif_transpose(image), tags, name)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged pixels
        raise _damaged(name, error) from error


def _to_grey(image: Image.Image, tags: Mapping[int, Any], name: str) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow's modes for grey of more than 8 bits: I;16, I;16B, and I in older versions
        return Image.fromarray(_deep_to_grey(np.asarray(image), tags))
    if image.mode == "F":
        raise ImageError(name, "has floating-point pixels of unknown range", "scale it to 0..1 and pass an array")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return image if image.mode == "L" else image.convert("L")


def _deep_to_grey(pixels: NDArray[Any], tags: Mapping[int, Any]) -> Film:
    white = 2 ** tags.get(TIFF_BITS, (16,))[0] - 1
    grey = _to_eight_bits(pixels.clip(0, white), white)
    # Pillow turns films whose white is zero round itself only where they have 8 bits.
    return np.uint8(255) - grey if tags.get(TIFF_POLARITY) == WHITE_IS_ZERO else grey


def _array_to_grey(array: NDArray[Any], name: str, limits: Limits) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or 0 in array.shape:
        raise ImageError(name, "has not the shape of a film", "give (H, W), (H, W, 1) or (H, W, 3)")
    limits.require_pixels(array.shape[1], array.shape[0], name)
    if array.dtype.kind not in "buif":
        raise ImageError(name, f"has pixels of type {array.dtype}", "convert it to integers or to float 0..1")
    if array.dtype != np.uint8:
        array = _to_eight_bits(array, _white(array, name))
    return Image.fromarray(array).convert("L") if array.ndim == 3 else Image.fromarray(array)


def _white(array: NDArray[Any], name: str) -> int:
    """The value of white in an array, by the rule of `read_film`."""
    if array.dtype == np.bool_:
        return 1
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":
        white, remedy = 1, "scale it so that 1 is white"
    else:
        white, remedy = 255 if high <= 255 and array.dtype != np.uint16 else 65535, "scale it to uint8 or uint16"
    if not (low >= 0 and high <= white):  # so that nan, too, is outside
        raise ImageError(name, f"has pixels outside 0..{white}", remedy)
    return white


def _to_eight_bits(pixels: NDArray[Any], white: int) -> Film:
    if pixels.dtype.kind == "f":
        return np.round(pixels * 255.0).astype(np.uint8)
    return ((pixels.astype(np.uint64) * 255 + white // 2) // white).astype(np.uint8)


def _damaged(name: str, error: Exception) -> ImageError:
    return ImageError(name, f"is damaged or truncated ({error})", "copy the film again from where it was made")
