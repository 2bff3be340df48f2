"""Parse DICOM files: the header first, and the pixels once it is known how much memory they will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydicom
from pydicom.filereader import read_dataset

from pneumo_infer.errors import ImageError
from pneumo_infer.films.bounds.memory import memory_of_grey
from pneumo_infer.films.bounds.reader import BoundedReader
from pneumo_infer.films.dicom.decoders import guess_syntax, memory_of_pixels
from pneumo_infer.films.dicom.structure import KEYWORDS, require_reasonable_attributes
from pneumo_infer.limits import Limits

if TYPE_CHECKING:
    from pydicom import Dataset

# Of the attributes that describe pixels (PS3.3 C.7.6.3), those that cannot be empty or 0.
REQUIRED = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored")
EXPLICIT = (b"OB", b"OW", b"UN")  # value representations of Pixel Data


class _DicomReader(BoundedReader):
    """A stream that pydicom cannot read to its end at once, as it would to inflate it without any limit."""

    max_reads = 20_000  # pydicom takes up to 80 microseconds for each

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise ValueError("deflated, but its file meta information is damaged")
        return super().read(size)


def parse(encoded: bytes, name: str, limits: Limits) -> Dataset:
    """Parse a film that is not deflated.

    Returns
    -------
    pydicom.Dataset
        The attributes that are used to read films, and Pixel Data, which is missing if it ends too early.

    Raises
    ------
    ImageError
        The film has no pixels, several frames, or exceeds the limits.
    ValueError
        An attribute is larger than that of any film. pydicom raises other exceptions for damaged files.
    """
    reader = _DicomReader(encoded, name)
    film = _parse_header(reader, KEYWORDS)
    start = reader.tell()
    if len(reader.read(8)) < 8:
        raise ImageError(name, "contains no image", "give the DICOM file of the film")
    missing = [keyword for keyword in REQUIRED if not film.get(keyword)]
    if missing:
        raise ImageError(name, f"its header lacks {', '.join(missing)}", "export the film again")
    frames = int(film.get("NumberOfFrames") or 1)
    if frames > 1:
        raise ImageError(name, f"has {frames} frames", "export a single frame")
    limits.require_pixels(film.Columns, film.Rows, name)
    if "TransferSyntaxUID" not in film.file_meta:
        film.file_meta.TransferSyntaxUID = guess_syntax(film)
    decoding = memory_of_pixels(film, len(encoded)) + film.Columns * film.Rows
    limits.require_memory(len(encoded) + max(decoding, memory_of_grey(film.Columns, film.Rows)), name)
    _read_pixels(film, reader, start)
    return film


def parse_header(encoded: bytes, name: str, keywords: tuple[str, ...]) -> Dataset:
    """Parse these attributes of a file that is not deflated; raises the same exceptions as `parse`."""
    return _parse_header(_DicomReader(encoded, name), keywords)


def _parse_header(reader: _DicomReader, keywords: tuple[str, ...]) -> Dataset:
    try:
        film = pydicom.dcmread(reader, stop_before_pixels=True, force=True, specific_tags=[*keywords])
    except Exception:
        if reader.refusal is not None:
            raise reader.refusal from None
        raise
    require_reasonable_attributes(film)
    return film


def _read_pixels(film: Dataset, reader: _DicomReader, start: int) -> None:
    """Read the element at `start`, which is Pixel Data or its like, into the film."""
    reader.begin_pixels()
    reader.seek(start + 4)
    implicit = reader.read(2) not in EXPLICIT
    reader.seek(start)
    little_endian = film.original_encoding[1]
    # One byte is exceeded by one element. Not at the top level, where pydicom may take the length for letters.
    film.update(read_dataset(reader, implicit, little_endian, bytelength=1, at_top_level=False))
