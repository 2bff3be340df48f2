"""A DICOM film to grey, as PS3.4 N.2 orders it: modality transform, VOI transform, polarity."""

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
    """Tell a DICOM file by its preamble."""
    return encoded[MAGIC_OFFSET : MAGIC_OFFSET + len(MAGIC)] == MAGIC


def read_dicom(encoded: bytes, name: str, limits: Limits) -> NDArray[np.uint8]:
    """Read a single-frame DICOM film.

    Grey films go through the modality LUT or rescale (PS3.3 C.11.1), the VOI LUT or the first window (C.11.2), and, if
    MONOCHROME1, are inverted within the range that these can give (C.7.6.3.1.2). That range, and not the film's own
    darkest and brightest pixel, becomes 0..255; without a VOI transform it is what the stored bits can hold.

    Parameters
    ----------
    encoded
        The file.
    name
        Names the film in error messages.
    limits
        Larger films are refused before their pixels are decoded.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W), 0 = black; uint8 (H, W, 3) where the file holds colour.

    Raises
    ------
    ImageError
        pydicom is not installed, or the file is damaged, has no pixels, several frames, or too many pixels.
    """
    try:
        import pydicom
        from pydicom.pixels import pixel_array

        from pneumo_infer.films.dicom_jpeg import DECODER_DEPENDENCIES, PLUGIN
    except ModuleNotFoundError:
        raise ImageError(
            name, "is a DICOM film, which needs pydicom", "run: pip install 'pneumo-infer[dicom]'"
        ) from None
    try:
        film = pydicom.dcmread(io.BytesIO(encoded))
        _refuse_unreadable(film, name, limits)
        compressed = film.file_meta.get("TransferSyntaxUID") in DECODER_DEPENDENCIES
        return _displayed(film, pixel_array(film, decoding_plugin=PLUGIN if compressed else ""))
    except ImageError:
        raise
    except Exception as error:  # pydicom and its decoders raise nearly anything on damaged files
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ImageError(name, f"cannot be read as DICOM ({reason})", "export the film again, or as PNG") from error


def _refuse_unreadable(film: Dataset, name: str, limits: Limits) -> None:
    if "PixelData" not in film:
        raise ImageError(name, "is a DICOM file without an image", "give the file that holds the film")
    frames = int(film.get("NumberOfFrames") or 1)
    if frames > 1:
        raise ImageError(name, f"has {frames} frames", "export the one that is the film")
    limits.require_pixels(film.Columns, film.Rows, name)


def _displayed(film: Dataset, stored: NDArray[Any]) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

    if film.PhotometricInterpretation == "PALETTE COLOR":
        return _to_eight_bits(apply_color_lut(stored, film), 0, 2 ** film.RedPaletteColorLookupTableDescriptor[2] - 1)
    if stored.ndim == 3:  # pydicom has made RGB of whatever colours the file holds
        return _to_eight_bits(stored, 0, 2**film.BitsStored - 1)
    low, high = _displayed_range(film)
    if film.get("VOILUTSequence"):
        # pydicom 3.0 looks 8-bit tables up with 8-bit indices, whatever their length; 16 bits change no entry.
        film.VOILUTSequence[0].LUTDescriptor[2] = max(film.VOILUTSequence[0].LUTDescriptor[2], 16)
    values = apply_voi_lut(apply_modality_lut(stored, film), film)
    if film.PhotometricInterpretation == "MONOCHROME1":
        values = low + high - values.astype(np.float64)
    return _to_eight_bits(values, low, high)


def _displayed_range(film: Dataset) -> tuple[float, float]:
    """The smallest and largest value that modality and VOI transform can give."""
    from pydicom.pixels import apply_modality_lut, apply_windowing

    if film.get("VOILUTSequence"):
        return 0.0, 2.0 ** film.VOILUTSequence[0].LUTDescriptor[2] - 1
    if film.get("WindowWidth") is not None and film.get("WindowCenter") is not None:
        ends = apply_windowing(np.array([-1e12, 1e12]), film)  # a window gives its ends to whatever lies outside
        return float(ends.min()), float(ends.max())
    bits, signed = film.BitsStored, film.PixelRepresentation == 1
    stored = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    ends = apply_modality_lut(np.array(stored), film)
    return float(ends.min()), float(ends.max())


def _to_eight_bits(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    share = (values.astype(np.float64) - low) / max(high - low, 1.0)
    return np.round(share * 255).clip(0, 255).astype(np.uint8)
