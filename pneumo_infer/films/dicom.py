"""Convert a DICOM film to greyscale in the order of PS3.4 N.2: modality transform, VOI transform, polarity."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pneumo_infer.errors import ImageError
from pneumo_infer.limits import Limits

if TYPE_CHECKING:
    from pydicom import Dataset

MAGIC_OFFSET, MAGIC = 128, b"DICM"  # PS3.10 7.1
FILE_SUFFIXES = (".dcm", ".dicom")


def is_dicom(encoded: bytes) -> bool:
    """Return whether the bytes start with the preamble and prefix of a DICOM file."""
    return encoded[MAGIC_OFFSET : MAGIC_OFFSET + len(MAGIC)] == MAGIC


def read_dicom(encoded: bytes, name: str, limits: Limits) -> NDArray[np.uint8]:
    """Read a single-frame DICOM film.

    Greyscale films go through the modality LUT or rescale (PS3.3 C.11.1) and the VOI LUT or the first window (C.11.2).
    MONOCHROME1 films are then inverted (C.7.6.3.1.2). The full output range of these transforms, not the film's own
    minimum and maximum, is mapped to 0..255. Without a VOI transform this is the range of the stored bits.

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
    numpy.ndarray
        uint8 (H, W), 0 = black; uint8 (H, W, 3) for colour files.

    Raises
    ------
    ImageError
        pydicom is not installed, or the file is damaged or has no pixels, several frames or too many pixels.
    """
    try:
        import pydicom
        from pydicom.pixels import pixel_array

        from pneumo_infer.films.dicom_jpeg import DECODER_DEPENDENCIES, PLUGIN
    except ModuleNotFoundError:
        raise ImageError(name, "DICOM files require pydicom", "run: pip install 'pneumo-infer[dicom]'") from None
    try:
        film = pydicom.dcmread(io.BytesIO(encoded))
        _check_readable(film, name, limits)
        compressed = film.file_meta.get("TransferSyntaxUID") in DECODER_DEPENDENCIES
        return _displayed(film, pixel_array(film, decoding_plugin=PLUGIN if compressed else ""))
    except ImageError:
        raise
    except Exception as error:  # pydicom and its decoders raise many kinds of exceptions on damaged files
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ImageError(name, f"cannot be read as DICOM ({reason})", "export the film again or as PNG") from error


def _check_readable(film: Dataset, name: str, limits: Limits) -> None:
    if "PixelData" not in film:
        raise ImageError(name, "contains no image", "give the DICOM file of the film")
    frames = int(film.get("NumberOfFrames") or 1)
    if frames > 1:
        raise ImageError(name, f"has {frames} frames", "export a single frame")
    limits.require_pixels(film.Columns, film.Rows, name)


def _displayed(film: Dataset, stored: NDArray[Any]) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

    if film.PhotometricInterpretation == "PALETTE COLOR":
        return _to_eight_bits(apply_color_lut(stored, film), 0, 2 ** film.RedPaletteColorLookupTableDescriptor[2] - 1)
    if stored.ndim == 3:  # pydicom has already converted the colours to RGB
        return _to_eight_bits(stored, 0, 2**film.BitsStored - 1)
    low, high = _displayed_range(film)
    if film.get("VOILUTSequence"):
        # pydicom 3.0 truncates the indices into 8-bit tables to 8 bits. Declaring 16 bits changes no entry.
        film.VOILUTSequence[0].LUTDescriptor[2] = max(film.VOILUTSequence[0].LUTDescriptor[2], 16)
    values = apply_voi_lut(apply_modality_lut(stored, film), film)
    if film.PhotometricInterpretation == "MONOCHROME1":
        values = low + high - values.astype(np.float64)
    return _to_eight_bits(values, low, high)


def _displayed_range(film: Dataset) -> tuple[float, float]:
    """Return the smallest and largest value that the modality and VOI transforms can produce."""
    from pydicom.pixels import apply_modality_lut, apply_windowing

    if film.get("VOILUTSequence"):
        return 0.0, 2.0 ** film.VOILUTSequence[0].LUTDescriptor[2] - 1
    if film.get("WindowWidth") is not None and film.get("WindowCenter") is not None:
        ends = apply_windowing(np.array([-1e12, 1e12]), film)  # values outside a window are clipped to its ends
        return float(ends.min()), float(ends.max())
    bits, signed = film.BitsStored, film.PixelRepresentation == 1
    stored = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    ends = apply_modality_lut(np.array(stored), film)
    return float(ends.min()), float(ends.max())


def _to_eight_bits(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    share = (values.astype(np.float64) - low) / max(high - low, 1.0)
    return np.round(share * 255).clip(0, 255).astype(np.uint8)
