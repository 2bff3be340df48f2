"""Decode the pixels of DICOM films: uncompressed ones with pydicom, all others with imagecodecs.

pydicom would otherwise choose among whatever decoders happen to be installed, of which GDCM crashes the whole process
on some damaged files, and its own for RLE decodes whatever a frame holds before it checks how much that was.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import generate_fragments
from pydicom.pixels import pixel_array

from pneumo_infer.films.bounds.codestreams import require_jpeg_2000_size
from pneumo_infer.films.bounds.jpeg import require_reasonable_scans
from pneumo_infer.films.trace import note

if TYPE_CHECKING:
    from pydicom import Dataset

# Name of the codec in imagecodecs, for each transfer syntax.
CODECS = {
    uid.JPEGBaseline8Bit: "jpeg",
    uid.JPEGExtended12Bit: "jpeg",
    uid.JPEGLossless: "jpeg",
    uid.JPEGLosslessSV1: "jpeg",
    uid.JPEGLSLossless: "jpegls",
    uid.JPEGLSNearLossless: "jpegls",
    uid.JPEG2000Lossless: "jpeg2k",
    uid.JPEG2000: "jpeg2k",
    uid.HTJ2KLossless: "jpeg2k",
    uid.HTJ2KLosslessRPCL: "jpeg2k",
    uid.HTJ2K: "jpeg2k",
    uid.RLELossless: "packbits",
}
CODEC_BYTES = {"jpeg": 3, "jpegls": 1, "jpeg2k": 4, "packbits": 1}  # working memory for each sample
MAX_FRAGMENTS = 10_000
RLE_HEADER = 64  # bytes: the number of segments, and the offset of each (PS3.5 G.5)
RLE_PADDING = 128  # bytes that some encoders add to a segment


def memory_of_pixels(film: Dataset, encoded_size: int) -> int:
    """Compute the memory in bytes that `decode` needs for a film, from its header and the size of its file."""
    samples = int(film.Rows * film.Columns * film.SamplesPerPixel)
    codec = CODECS.get(film.file_meta.TransferSyntaxUID)
    if codec is None:
        copied = film.BitsAllocated < 8 or film.PhotometricInterpretation == "YBR_FULL_422" or _is_big_endian(film)
        return encoded_size + (samples * max(film.BitsAllocated // 8, 1) if copied else 0)
    working = CODEC_BYTES[codec]
    return max(2 * encoded_size, encoded_size + samples * (_cell_bytes(film) + working))


def decode(film: Dataset, name: str) -> NDArray[Any]:
    """Decode the pixels of a single-frame film.

    Parameters
    ----------
    film
        The film. If its pixels are compressed they are removed from it, which frees memory.
    name
        The film's name in error messages.

    Returns
    -------
    numpy.ndarray
        Integers (H, W) of the native byte order, one cell of Bits Allocated bits for each pixel, none of them changed;
        or (H, W, 3) for colour films, in the colour space of the film's Photometric Interpretation.
    """
    syntax = film.file_meta.TransferSyntaxUID
    note(f"file: DICOM, {syntax.name}, {film.get('PhotometricInterpretation')}, {film.Columns} x {film.Rows} pixels")
    if syntax not in CODECS:
        cells: NDArray[Any] = pixel_array(film, raw=True, view_only=True, correct_unused_bits=False)
        return cells.astype(cells.dtype.newbyteorder("="), copy=False)  # later steps look at the bits
    if syntax != uid.RLELossless and film.BitsStored <= 8:
        film.BitsAllocated = 8  # as decoded, whatever cells the pixels came in
        film.HighBit = film.BitsStored - 1
    frame = _frame(film)
    return _decode_rle(frame, film) if syntax == uid.RLELossless else _decode_frame(frame, film, CODECS[syntax], name)


def guess_syntax(film: Dataset) -> uid.UID:
    """Return the uncompressed syntax that a data set without file meta information turned out to be in."""
    implicit, little_endian = film.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little_endian else uid.ExplicitVRBigEndian


def _is_big_endian(film: Dataset) -> bool:
    return bool(film.file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian)


def _cell_bytes(film: Dataset) -> int:
    if film.file_meta.TransferSyntaxUID == uid.RLELossless:
        return int(film.BitsAllocated) // 8
    return 1 if film.BitsStored <= 8 else 2


def _frame(film: Dataset) -> bytes:
    """Take the frame out of a film, joining its fragments (PS3.5 A.4)."""
    fragments = list(islice(generate_fragments(film.PixelData), MAX_FRAGMENTS + 2))
    if len(fragments) > MAX_FRAGMENTS + 1:
        raise ValueError(f"the frame has more than {MAX_FRAGMENTS} fragments")
    del film.PixelData
    _offsets, *parts = fragments
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _decode_frame(frame: bytes, film: Dataset, codec: str, name: str) -> NDArray[Any]:
    """Decode a frame into an array of the size given in the header; a frame of another size is an error."""
    import imagecodecs

    samples = (film.SamplesPerPixel,) if film.SamplesPerPixel > 1 else ()
    signed = film.get("PixelRepresentation") == 1 and codec == "jpeg2k"
    cells = np.empty((film.Rows, film.Columns, *samples), f"{'i' if signed else 'u'}{_cell_bytes(film)}")
    if codec == "jpeg2k":  # the others compare sizes before they decode
        require_jpeg_2000_size(frame, film.Columns, film.Rows, film.SamplesPerPixel)
    elif codec == "jpeg":
        require_reasonable_scans(frame, film.Columns * film.Rows, name)
    getattr(imagecodecs, f"{codec}_decode")(frame, out=cells)
    if samples:  # the codecs convert to RGB
        film.PhotometricInterpretation = "RGB"
    return cells


def _decode_rle(frame: bytes, film: Dataset) -> NDArray[Any]:
    """Decode a frame of run lengths (PS3.5 annex G): one segment for each byte of a sample, the highest first."""
    import imagecodecs

    pixels, samples, width = film.Rows * film.Columns, film.SamplesPerPixel, _cell_bytes(film)
    count, *offsets = np.frombuffer(frame, "<u4", RLE_HEADER // 4).tolist()
    if count != samples * width:
        raise ValueError(f"the frame has {count} RLE segments, not {samples * width}")
    offsets = [*offsets[:count], len(frame)]
    decoded = np.empty((samples, pixels, width), np.uint8)
    plane = np.empty(pixels + RLE_PADDING, np.uint8)
    for segment in range(count):
        part = frame[offsets[segment] : offsets[segment + 1]]
        if len(imagecodecs.packbits_decode(part, out=plane.data)) < pixels:
            raise ValueError(f"RLE segment {segment + 1} is too short")
        sample, byte = divmod(segment, width)
        decoded[sample, :, width - 1 - byte] = plane[:pixels]
    planes = decoded.view(f"<u{width}").reshape(samples, film.Rows, film.Columns)
    return planes[0] if samples == 1 else planes.transpose(1, 2, 0)
