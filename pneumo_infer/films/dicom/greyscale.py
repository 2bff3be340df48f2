"""The greyscale transforms of DICOM, from stored pixels to displayed greys (PS3.4 N.2).

pydicom parses and decodes; the arithmetic is done here, in float64, one clause of the standard after the other. A
transform whose attributes are empty or invalid is skipped, as DCMTK does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pneumo_infer.films.trace import note

if TYPE_CHECKING:
    from pydicom import Dataset

Floats = NDArray[np.float64]
MAX_TABLE_BITS = 16


@dataclass(frozen=True, slots=True)
class Values:
    """Pixels between two transforms, and the range that these can have."""

    pixels: Floats
    low: float
    high: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.low) or not math.isfinite(self.high):
            raise ValueError("values are beyond what can be computed with")


def displayed(cells: NDArray[Any], film: Dataset) -> NDArray[np.uint8]:
    """Transform a decoded greyscale film to what a viewer displays.

    Parameters
    ----------
    cells
        Integers (H, W), one cell of Bits Allocated bits for each pixel.
    film
        Its header.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W), 0 = black.
    """
    bits = int(film.BitsStored)
    lowest = max(int(film.get("HighBit", bits - 1)) + 1 - bits, 0)
    kind = "signed" if _is_signed(film) else "unsigned"
    note(f"stored bits: {bits}, {kind}, the highest is bit {lowest + bits - 1}")
    cells = cells.view(f"u{cells.dtype.itemsize}")
    shown = np.empty(cells.shape, np.uint8)
    # One table for all values takes less time and memory than computing with each pixel.
    table = _displayed(np.arange(2**bits), film) if bits <= MAX_TABLE_BITS else None
    for row, line in enumerate(cells):
        stored = (line >> lowest) & (2**bits - 1)
        shown[row] = _displayed(stored.astype(np.int64), film) if table is None else table[stored]
    return shown


def _displayed(stored: NDArray[np.int64], film: Dataset) -> NDArray[np.uint8]:
    """Transform stored bits, whatever the shape."""
    shares = _voi(_modality(_signed(stored, film), film), film)
    if _is_inverted(film):
        note(f"{_photometric(film)}, presentation LUT shape {film.get('PresentationLUTShape')}: inverted")
        shares = 1 - shares
    return np.round(shares * 255).clip(0, 255).astype(np.uint8)


def _is_signed(film: Dataset) -> bool:
    return bool(film.get("PixelRepresentation") == 1)


def _signed(stored: NDArray[np.int64], film: Dataset) -> Values:
    """Give stored bits their sign (PS3.5 8.1.1), and the range that so many bits have."""
    bits = int(film.BitsStored)
    if _is_signed(film):
        values = np.where(stored >= 2 ** (bits - 1), stored - 2**bits, stored)
        return Values(values.astype(np.float64), -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    return Values(stored.astype(np.float64), 0.0, 2.0**bits - 1)


def _modality(values: Values, film: Dataset) -> Values:
    """Apply the modality LUT, or rescale slope and intercept (PS3.3 C.11.1)."""
    for item in _items(film, "ModalityLUTSequence"):
        table = _table(item, signed_input=values.low < 0)
        if table is not None:
            note(f"modality LUT: {len(table.entries)} entries from {table.first} on")
            return table.look_up(values)
    for source in _sources(film, "PixelValueTransformationSequence"):
        slope, intercept = _number(source, "RescaleSlope"), _number(source, "RescaleIntercept")
        if slope and intercept is not None:
            note(f"rescale: slope {slope:g}, intercept {intercept:g}")
            ends = sorted((slope * values.low + intercept, slope * values.high + intercept))
            return Values(slope * values.pixels + intercept, *ends)
    return values


def _voi(values: Values, film: Dataset) -> Floats:
    """Apply the VOI LUT, or the first window (PS3.3 C.11.2); returns shares of white, 0 to 1."""
    for item in _items(film, "VOILUTSequence"):
        table = _table(item, signed_input=values.low < 0)
        if table is not None:
            note(f"VOI LUT: {len(table.entries)} entries from {table.first} on")
            values = table.look_up(values)
            return (values.pixels - values.low) / max(values.high - values.low, 1.0)
    for source in _sources(film, "FrameVOILUTSequence"):
        centre, width = _number(source, "WindowCenter"), _number(source, "WindowWidth")
        function = str(source.get("VOILUTFunction") or "LINEAR")
        if centre is not None and width is not None and width >= (1 if function == "LINEAR" else math.ulp(0)):
            windowed = _window(values.pixels, centre, width, function)
            if windowed is not None:
                note(f"window: centre {centre:g}, width {width:g}, {function}")
                return windowed
    note(f"no window: {values.low:g} is black, {values.high:g} is white")
    return (values.pixels - values.low) / max(values.high - values.low, 1.0)


def _window(pixels: Floats, centre: float, width: float, function: str) -> Floats | None:
    """Apply a window (PS3.3 C.11.2.1.2 and C.11.2.1.3); None for a function that the standard does not have."""
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (pixels - centre) / width, -700, 700))))
    if function == "LINEAR_EXACT":
        return np.clip((pixels - centre) / width + 0.5, 0, 1)
    if function != "LINEAR":
        return None
    if width == 1:
        return (pixels > centre - 0.5).astype(np.float64)
    return np.clip((pixels - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _is_inverted(film: Dataset) -> bool:
    """Whether white is the lowest value: Presentation LUT Shape decides (PS3.3 C.11.6), else MONOCHROME1 (C.7.6.3.1.2).

    Where both are given and differ, this follows DCMTK.
    """
    shape = film.get("PresentationLUTShape")
    return bool(shape == "INVERSE" if shape in ("IDENTITY", "INVERSE") else _photometric(film) == "MONOCHROME1")


def _photometric(film: Dataset) -> str:
    return str(film.get("PhotometricInterpretation") or "")


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table: the input that its first entry is for, and its entries."""

    first: int
    entries: Floats

    def look_up(self, values: Values) -> Values:
        """Replace each value by its entry; values before the first and behind the last entry take these."""
        places = np.round(values.pixels - self.first).clip(0, len(self.entries) - 1).astype(np.intp)
        # Some CR systems declare 16 bits and use 10 or 12. A table that keeps to its bits has their whole range.
        bits = max(int(self.entries.max()).bit_length(), 1)
        return Values(self.entries[places], 0.0, 2.0**bits - 1)


def _table(item: Dataset, *, signed_input: bool) -> Table | None:
    """Read a modality or VOI LUT (PS3.3 C.11.1.1.1, C.11.2.1.1); None where it is empty or too short.

    The number of entries and the first input are 16-bit words whose sign depends on what enters the table, whatever
    value representation they were stored with. Entries of 8 bits may be stored as words or as bytes.
    """
    descriptor, data = item.get("LUTDescriptor"), item.get("LUTData")
    if descriptor is None or data is None or len(descriptor) != 3:
        return None
    count, first, bits = (int(number) & 0xFFFF for number in descriptor)
    count = count or 2**16
    if signed_input and first >= 2**15:
        first -= 2**16
    entries = _entries(data, count, little_endian=item.original_encoding[1] is not False)
    if entries is None or not 1 <= bits <= 16:
        return None
    return Table(first, entries.astype(np.float64))


def _entries(data: Any, count: int, *, little_endian: bool) -> NDArray[np.uint16] | None:
    if isinstance(data, bytes):
        words = "<u2" if little_endian else ">u2"
        size = 2 if len(data) >= 2 * count else 1
        if len(data) < count:
            return None
        return np.frombuffer(data, words if size == 2 else np.uint8, count).astype(np.uint16)
    numbers = np.atleast_1d(np.asarray(data, np.int64)) & 0xFFFF
    if len(numbers) >= count:
        return numbers[:count].astype(np.uint16)
    octets = numbers.astype("<u2").view(np.uint8)
    return octets[:count].astype(np.uint16) if len(octets) >= count else None


def _items(film: Dataset, sequence: str) -> Iterator[Dataset]:
    yield from film.get(sequence) or ()


def _sources(film: Dataset, macro: str) -> Iterator[Dataset]:
    """Where attributes of a transform may be: the film itself, or functional groups (PS3.3 C.7.6.16)."""
    yield film
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        for group in list(_items(film, groups))[:1]:
            yield from _items(group, macro)


def _number(source: Dataset, keyword: str) -> float | None:
    """Read the first of one or several decimal strings; None where there is none or it is not a finite number.

    The element is read as it is stored, since pydicom refuses decimal commas.
    """
    element = source.get_item(keyword) if keyword in source else None
    value = element.value if element is not None else None
    # One number has at most 16 bytes (PS3.5 6.2); a damaged file can have millions of them.
    text = value[:64].decode("ascii", "replace") if isinstance(value, bytes) else str(value)[:64]
    try:
        number = float(text.strip("[]\0 ").replace("\\", ", ").split(", ")[0].replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
