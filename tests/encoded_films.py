"""DICOM films in every transfer syntax that is read."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
from dicom_node import study_film
from numpy.typing import NDArray
from pydicom import Dataset, dcmread, dcmwrite, uid
from pydicom.encaps import encapsulate

from pneumo_infer.films.dicom.decoders import CODECS

UNCOMPRESSED = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
)
SYNTAXES = tuple(uid.UID(syntax) for syntax in (*UNCOMPRESSED, *CODECS))
LOSSY_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)


def encoded_film(syntax: uid.UID) -> bytes:
    """Write a film in this transfer syntax."""
    original = dcmread(io.BytesIO(study_film()))
    film, pixels = Dataset(), original.pixel_array
    film.update({element.tag: element for element in original})  # which may then be written with another byte order
    film.file_meta = original.file_meta
    film.file_meta.TransferSyntaxUID = syntax
    if syntax in LOSSY_JPEG:
        film.BitsAllocated, film.BitsStored, film.HighBit = 8, 8, 7
        pixels = (pixels >> 4).astype(np.uint8)
        pixels[-8:, -8:] = 0  # a block that lossy compression keeps
    if syntax in CODECS:
        film.PixelData = encapsulate([_frame(pixels, syntax)])
    elif not syntax.is_little_endian:
        film.PixelData = pixels.byteswap().tobytes()
    file = io.BytesIO()
    dcmwrite(file, film, enforce_file_format=True)
    return file.getvalue()


def _frame(pixels: NDArray[np.uint16], syntax: uid.UID) -> bytes:
    if syntax == uid.RLELossless:
        return _run_lengths(pixels)
    if syntax in (uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL):
        return bytes(imagecodecs.htj2k_encode(pixels))
    if CODECS[syntax] == "jpeg2k":
        return bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, bitspersample=12))
    if CODECS[syntax] == "jpegls":
        return bytes(imagecodecs.jpegls_encode(pixels))
    lossless = syntax not in LOSSY_JPEG
    return bytes(imagecodecs.jpeg_encode(pixels, lossless=lossless, bitspersample=12 if lossless else 8))


def _run_lengths(pixels: NDArray[np.uint16]) -> bytes:
    segments = [imagecodecs.packbits_encode(part.astype(np.uint8)) for part in (pixels >> 8, pixels & 255)]
    return struct.pack("<16I", 2, 64, 64 + len(segments[0]), *[0] * 13) + b"".join(segments)
