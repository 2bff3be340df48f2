"""Read DICOM files: pydicom parses and decodes them, `greyscale` applies the transforms of the standard."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_infer.errors import ImageError
from pneumo_infer.films.dicom.header import FilmHeader, read_header
from pneumo_infer.films.strips import strips
from pneumo_infer.limits import Limits

if TYPE_CHECKING:
    from pydicom import Dataset

MAGIC_OFFSET, MAGIC = 128, b"DICM"  # PS3.10 7.1
FILE_SUFFIXES = (".dcm", ".dicom")
# The first group of a data set without a preamble: file meta information, or identification (PS3.6).
FIRST_GROUPS = (2, 8)
DEFLATED, EXPLICIT_LITTLE_ENDIAN = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1"
PIXEL_DATA = b"\xe0\x7f\x10\x00"  # the tag (7FE0,0010), little-endian


def is_dicom(encoded: bytes) -> bool:
    """Return whether the bytes are a DICOM file, or begin like the data set of one without a preamble."""
    return encoded[MAGIC_OFFSET : MAGIC_OFFSET + len(MAGIC)] == MAGIC or _begins_like_a_data_set(encoded)


def _begins_like_a_data_set(encoded: bytes) -> bool:
    """Whether the first element has a tag of the first groups, and the length of a short value."""
    if len(encoded) < MAGIC_OFFSET + len(MAGIC):
        return False
    explicit = encoded[4:6].isalpha() and encoded[4:6].isupper()
    byte_orders: tuple[Literal["little", "big"], ...] = ("little", "big") if explicit else ("little",)
    for order in byte_orders:
        group, element = (int.from_bytes(encoded[at : at + 2], order) for at in (0, 2))
        length = int.from_bytes(encoded[6:8] if explicit else encoded[4:8], order)
        if group in FIRST_GROUPS and element < 0x100 and length < 2**10:
            return True
    return False


def read_dicom(encoded: bytes, name: str, limits: Limits) -> tuple[NDArray[np.uint8], FilmHeader]:
    """Read a single-frame DICOM film.

    Greyscale films go through the transforms of `greyscale.py`. The full output range of these, not the
    film's own minimum and maximum, is mapped to 0..255. Without a VOI transform this is the range of the stored bits.

    Parameters
    ----------
    encoded
        The contents of the file.
    name
        The film's name in error messages.
    limits
        Larger films are rejected before their pixels are decoded.

    Returns
    -------
    tuple
        The pixels, uint8 (H, W), 0 = black; and the header. Colour is converted to luma (ITU-R BT.601).

    Raises
    ------
    ImageError
        pydicom is not installed, or the file is damaged, has no pixels or several frames, or exceeds the limits.
    """
    try:
        import pydicom  # noqa: F401

        from pneumo_infer.films.dicom import decoders as dicom_decoders
        from pneumo_infer.films.dicom.parse import parse
    except ModuleNotFoundError:
        raise ImageError(name, "DICOM files require pydicom", "run: pip install 'pneumo-infer[dicom]'") from None
    try:
        film = parse(inflate(encoded, name, limits), name, limits)
        if "PixelData" not in film and PIXEL_DATA in encoded:
            raise _truncated(name)
        return _displayed(dicom_decoders.decode(film, name), film), read_header(film)
    except ImageError:
        raise
    except EOFError as error:
        raise _truncated(name) from error
    except Exception as error:  # pydicom and its decoders raise many kinds of exceptions on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(name, f"cannot be read as DICOM ({reason})", "export the film again or as PNG") from error


def inflate(encoded: bytes, name: str, limits: Limits) -> bytes:
    """Inflate a file in the deflated transfer syntax (PS3.5 A.5) up to the limit; pydicom would inflate all of it.

    Other files are returned as they are.

    Raises
    ------
    ImageError
        The file would exceed the limits.
    """
    group_length = encoded[140:144]  # of the file meta information, whose first element this is (PS3.10 7.1)
    end_of_meta = 144 + int.from_bytes(group_length, "little")
    meta = encoded[:end_of_meta]
    if encoded[MAGIC_OFFSET : MAGIC_OFFSET + len(MAGIC)] != MAGIC or DEFLATED not in meta:
        return encoded
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    most = min(limits.encoded_bytes, max(limits.memory // 2 - len(encoded), 0))
    inflated = inflater.decompress(encoded[end_of_meta:], most + 1)
    limits.require_bytes(len(inflated), name)
    limits.require_memory(2 * (len(encoded) + len(inflated)), name)
    return meta.replace(DEFLATED, EXPLICIT_LITTLE_ENDIAN.ljust(len(DEFLATED), b"\0")) + inflated


def _truncated(name: str) -> ImageError:
    return ImageError(name, "truncated within its pixels", "copy the film again from its source")


def _displayed(cells: NDArray[Any], film: Dataset) -> NDArray[np.uint8]:
    from pneumo_infer.films.dicom.greyscale import displayed

    if film.PhotometricInterpretation == "PALETTE COLOR":
        return _through_palette(cells, film)
    if cells.ndim == 2:
        return displayed(cells, film)
    grey = np.empty(cells.shape[:2], np.uint8)
    for rows in strips(film.Columns, film.Rows):
        grey[rows] = _luma(cells[rows], film)
    return grey


def _through_palette(cells: NDArray[Any], film: Dataset) -> NDArray[np.uint8]:
    """Look up the luma of each pixel in a table for all values that a pixel can have."""
    from pydicom.pixels import apply_color_lut

    if cells.itemsize > 2:
        raise ValueError("palette indices of more than 16 bits")
    stored = np.dtype(f"u{cells.itemsize}")
    colours = apply_color_lut(np.arange(2 ** (8 * cells.itemsize), dtype=stored).view(cells.dtype)[None], film)
    white = 2 ** film.RedPaletteColorLookupTableDescriptor[2] - 1
    table: NDArray[np.uint8] = np.asarray(Image.fromarray(_to_eight_bits(colours, white)).convert("L"))[0]
    shown: NDArray[np.uint8] = table[cells.view(stored)]
    return shown


def _luma(cells: NDArray[Any], film: Dataset) -> NDArray[np.uint8]:
    """Convert decoded colours to luma, uint8 (H, W)."""
    white = 2**film.BitsStored - 1
    if film.PhotometricInterpretation in ("YBR_FULL", "YBR_FULL_422"):
        return _to_eight_bits(cells[:, :, 0], white)  # it is luma (PS3.3 C.7.6.3.1.2)
    return np.asarray(Image.fromarray(_to_eight_bits(cells, white)).convert("L"))


def _to_eight_bits(values: NDArray[Any], white: int) -> NDArray[np.uint8]:
    if values.itemsize > 2:
        return np.round(values / white * 255).clip(0, 255).astype(np.uint8)
    table = np.round(np.arange(2**16) / white * 255).clip(0, 255).astype(np.uint8)
    return table[values.astype(np.uint16, copy=False)]
