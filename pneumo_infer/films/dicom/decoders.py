"""Decode the pixels of DICOM files, with a pydicom plugin that decodes every compressed syntax but RLE.

pydicom would otherwise choose among whatever decoders happen to be installed, of which GDCM crashes the whole process
on some damaged files.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels import decoders, pixel_array
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pneumo_infer.films.trace import note

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.pixels.decoders.base import DecodeRunner

PLUGIN = "imagecodecs"
# Name of the codec in imagecodecs, for each of pydicom's decoders.
CODECS = {
    "JPEGBaseline8Bit": "jpeg",
    "JPEGExtended12Bit": "jpeg",
    "JPEGLossless": "jpeg",
    "JPEGLosslessSV1": "jpeg",
    "JPEGLSLossless": "jpegls",
    "JPEGLSNearLossless": "jpegls",
    "JPEG2000Lossless": "jpeg2k",
    "JPEG2000": "jpeg2k",
    "HTJ2KLossless": "jpeg2k",
    "HTJ2KLosslessRPCL": "jpeg2k",
    "HTJ2K": "jpeg2k",
}
_DECODERS = {name: getattr(decoders, f"{name}Decoder") for name in CODECS}
CODEC_OF = {decoder.UID: CODECS[name] for name, decoder in _DECODERS.items()}
DECODER_DEPENDENCIES = dict.fromkeys(CODEC_OF, ("imagecodecs",))


def is_available(uid: str) -> bool:
    """Return whether this plugin can decode a transfer syntax. pydicom calls this."""
    return uid in CODEC_OF and find_spec("imagecodecs") is not None


def decode_frame(encoded: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame for pydicom.

    The buffer has the size given in the DICOM header, so a larger frame cannot use more memory.
    """
    import imagecodecs

    samples = (runner.samples_per_pixel,) if runner.samples_per_pixel > 1 else ()
    signed = runner.pixel_representation == 1 and CODEC_OF[runner.transfer_syntax] == "jpeg2k"
    kind = "i" if signed else "u"
    frame = np.empty((runner.rows, runner.columns, *samples), f"{kind}{1 if runner.bits_stored <= 8 else 2}")
    getattr(imagecodecs, f"{CODEC_OF[runner.transfer_syntax]}_decode")(encoded, out=frame)
    runner.set_option("bits_allocated", 8 * frame.itemsize)
    if samples:  # the codecs convert to RGB
        runner.set_option("photometric_interpretation", PhotometricInterpretation.RGB)
    return frame.tobytes()


for _decoder in _DECODERS.values():
    _decoder.add_plugin(PLUGIN, (__name__, decode_frame.__name__))


def decode(film: Dataset) -> NDArray[Any]:
    """Decode the pixels of a single-frame film.

    Returns
    -------
    numpy.ndarray
        Integers (H, W), one cell of Bits Allocated bits for each pixel, none of them changed; or (H, W, 3) for colour
        films, converted to RGB.
    """
    if "TransferSyntaxUID" not in film.file_meta:
        film.file_meta.TransferSyntaxUID = _guess_syntax(film)
    syntax = film.file_meta.TransferSyntaxUID
    if syntax in CODEC_OF and film.BitsStored <= 8:
        film.BitsAllocated = 8  # as decoded, whatever cells the pixels came in
        film.HighBit = film.BitsStored - 1
    plugin = PLUGIN if syntax in CODEC_OF else ""
    note(f"file: DICOM, {syntax.name}, {film.get('PhotometricInterpretation')}, {film.Columns} x {film.Rows} pixels")
    cells: NDArray[Any] = pixel_array(film, decoding_plugin=plugin, correct_unused_bits=False)
    return cells


def _guess_syntax(film: Dataset) -> UID:
    """The uncompressed syntax that a data set without file meta information turned out to be in."""
    implicit, little_endian = film.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian
