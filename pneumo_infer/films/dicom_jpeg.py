"""JPEG of 12 and 16 bits and lossless JPEG for pydicom, decoded by libjpeg-turbo.

pydicom would take GDCM for these, which ends the whole process on some damaged files.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from pydicom.pixels.decoders import (
    JPEGExtended12BitDecoder,
    JPEGLosslessDecoder,
    JPEGLosslessSV1Decoder,
)

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

PLUGIN = "libjpeg-turbo"
DECODERS = (JPEGExtended12BitDecoder, JPEGLosslessDecoder, JPEGLosslessSV1Decoder)
DECODER_DEPENDENCIES = {decoder.UID: ("imagecodecs",) for decoder in DECODERS}


def is_available(uid: str) -> bool:
    """Tell pydicom whether a transfer syntax can be decoded here."""
    return uid in DECODER_DEPENDENCIES and find_spec("imagecodecs") is not None


def decode_frame(encoded: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame for pydicom, into no more memory than the size that the header of the file gives takes."""
    from imagecodecs import jpeg_decode

    samples = (runner.samples_per_pixel,) if runner.samples_per_pixel > 1 else ()
    frame = np.empty((runner.rows, runner.columns, *samples), np.uint8 if runner.bits_stored <= 8 else np.uint16)
    jpeg_decode(encoded, out=frame)
    runner.set_option("bits_allocated", 8 * frame.itemsize)
    return frame.tobytes()


for _decoder in DECODERS:
    _decoder.add_plugin(PLUGIN, (__name__, decode_frame.__name__))
