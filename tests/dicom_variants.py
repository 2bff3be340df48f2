"""DICOM films whose headers have any combination of greyscale transforms."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid


@dataclass(frozen=True)
class Lut:
    """A lookup table: first input, declared bits, entries, and whether 8-bit entries are stored as bytes."""

    first: int
    bits: int
    entries: tuple[int, ...]
    as_bytes: bool = False

    @cached_property
    def bits_in_use(self) -> int:
        return max(self.entries).bit_length()


@dataclass(frozen=True)
class Header:
    """What decides how stored bits are displayed."""

    allocated: int = 16
    stored: int = 12
    high: int = 11
    signed: bool = False
    rescale: tuple[float, float] | None = None
    modality: Lut | None = None
    window: tuple[float, float, str] | None = None
    voi: Lut | None = None
    photometric: str = "MONOCHROME2"
    shape: str | None = None
    syntax: UID = ExplicitVRLittleEndian


def written(cells: np.ndarray, header: Header) -> bytes:
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = header.syntax
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = generate_uid()
    film.Rows, film.Columns = cells.shape
    film.SamplesPerPixel, film.PixelRepresentation = 1, int(header.signed)
    film.BitsAllocated, film.BitsStored, film.HighBit = header.allocated, header.stored, header.high
    film.PhotometricInterpretation = header.photometric
    if header.shape:
        film.PresentationLUTShape = header.shape
    if header.rescale:
        film.RescaleSlope, film.RescaleIntercept = (f"{number:.6g}" for number in header.rescale)
    if header.modality:
        film.ModalityLUTSequence = [sequence_item(header.modality, header.syntax)]
    if header.window:
        film.WindowCenter, film.WindowWidth = (f"{number:.6g}" for number in header.window[:2])
        film.VOILUTFunction = header.window[2]
    if header.voi:
        film.VOILUTSequence = [sequence_item(header.voi, header.syntax)]
    cells = cells.astype(f"{'<' if header.syntax.is_little_endian else '>'}u{header.allocated // 8}")
    film.add_new("PixelData", "OW" if header.allocated == 16 else "OB", cells.tobytes())
    file = io.BytesIO()
    dcmwrite(file, film, enforce_file_format=True)
    return file.getvalue()


def sequence_item(lut: Lut, syntax: UID) -> Dataset:
    item = Dataset()
    descriptor = [len(lut.entries) % 2**16, lut.first % 2**16, lut.bits]
    item.add_new("LUTDescriptor", "US", descriptor)
    words = np.array(lut.entries, "<u2" if syntax.is_little_endian else ">u2")
    stored = bytes(lut.entries) if lut.as_bytes else words.tobytes()
    item.add_new("LUTData", "OW", stored + b"\0" * (len(stored) % 2))
    return item
