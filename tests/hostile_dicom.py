"""DICOM films made to cost far more than their size suggests; see `hostile_films`."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import partial

import numpy as np
from imagecodecs import jpeg2k_encode, jpeg_encode, jpegls_encode
from pydicom import uid

SIDE = 8000  # the pixel limit is 8000 x 8000
DEFLATED_BLOCK = 2**24  # bytes
UNDEFINED = 0xFFFFFFFF
ITEM, END_OF_ITEM, END_OF_SEQUENCE = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA, WINDOW_CENTER, BITS_STORED, VOI_LUT, ICON = 0x7FE00010, 0x00281050, 0x00280101, 0x00283010, 0x00880200
LUT_DESCRIPTOR, LUT_DATA = 0x00283002, 0x00283006
RUN = b"\x81\x00"  # 128 zeros


def element(tag: int, value: bytes = b"", kind: str = "", *, length: int | None = None) -> bytes:
    """An element, of implicit value representation unless it is given."""
    size = len(value) if length is None else length
    if kind in ("OB", "OW", "SQ", "UN"):
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, kind.encode(), 0, size) + value
    if kind:
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, kind.encode(), size) + value
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, size) + value


def film(
    syntax: uid.UID,
    pixels: bytes,
    *,
    side: int = SIDE,
    bits: int = 16,
    samples: int = 1,
    photometric: bytes = b"MONOCHROME2 ",
    extra: tuple[bytes, ...] = (),
) -> bytes:
    """A film with Pixel Data and other elements as they are given."""
    implicit = syntax == uid.ImplicitVRLittleEndian
    numbers = {0x00280002: samples, 0x00280010: side, 0x00280011: side, 0x00280100: bits}
    numbers |= {BITS_STORED: min(bits, 16), 0x00280102: min(bits, 16) - 1, 0x00280103: 0}
    if samples > 1:
        numbers[0x00280006] = 0
    coded = [element(tag, struct.pack("<H", number), "" if implicit else "US") for tag, number in numbers.items()]
    coded += [element(0x00280004, photometric, "" if implicit else "CS"), *extra]
    data = b"".join(sorted(coded, key=lambda one: struct.unpack_from("<HH", one))) + pixels
    name = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = element(0x00020001, b"\0\1", "OB") + element(0x00020010, name, "UI")
    return bytes(128) + b"DICM" + element(0x00020000, struct.pack("<I", len(meta)), "UL") + meta + data


def deflated_zeros(size: int, head: bytes = b"") -> bytes:
    """`head` and so many zeros, deflated; made from a block that is deflated once."""
    deflater = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    start = deflater.compress(head) + deflater.flush(zlib.Z_FULL_FLUSH)
    block = deflater.compress(bytes(DEFLATED_BLOCK)) + deflater.flush(zlib.Z_FULL_FLUSH)
    return start + block * -(-size // DEFLATED_BLOCK) + deflater.flush()


def deflated(size: int, *, wrong_length: bool = False, **attributes: object) -> bytes:
    """A deflated film whose Pixel Data are so many zeros."""
    head = element(PIXEL_DATA, b"", "OW", length=size)
    whole = film(uid.ExplicitVRLittleEndian, head, **attributes)  # type: ignore[arg-type]
    end_of_meta = 144 + int.from_bytes(whole[140:144], "little")
    empty = film(uid.DeflatedExplicitVRLittleEndian, b"")
    meta = bytearray(empty[: 144 + int.from_bytes(empty[140:144], "little")])
    if wrong_length:
        meta[140:144] = b"\x02\0\0\0"
    return bytes(meta) + deflated_zeros(size, whole[end_of_meta:])


def fragments(*parts: bytes) -> bytes:
    """Pixel Data of an empty offset table and these fragments."""
    return encapsulated(b"".join(element(ITEM, part) for part in parts))


def encapsulated(items: bytes) -> bytes:
    return element(PIXEL_DATA, element(ITEM) + items + element(END_OF_SEQUENCE), "OB", length=UNDEFINED)


def run_lengths(segment: bytes, side: int = 10) -> bytes:
    header = struct.pack("<16I", 1, 64, *[0] * 14)
    return film(uid.RLELossless, fragments(header + segment), side=side, bits=8)


def codestream(syntax: uid.UID, encode: Callable[[np.ndarray], bytes], side: int) -> bytes:
    """A frame of 8000 x 8000 in a film whose header says `side`."""
    return film(syntax, fragments(encode(np.zeros((SIDE, SIDE), np.uint16))), side=side, bits=16)


def implicit(*extra: bytes) -> bytes:
    pixels = np.arange(4096, dtype="<u2").tobytes()
    return film(uid.ImplicitVRLittleEndian, element(PIXEL_DATA, pixels), side=64, extra=extra)


def sequence(tag: int, content: bytes, *, open_ended: bool = True) -> bytes:
    if open_ended:
        return element(tag, content + element(END_OF_SEQUENCE), length=UNDEFINED)
    return element(tag, content)


def nested(depth: int) -> bytes:
    start = element(ICON, length=UNDEFINED) + element(ITEM, length=UNDEFINED)
    return start * depth + (element(END_OF_ITEM) + element(END_OF_SEQUENCE)) * depth


PIXELS = SIDE * SIDE
jpeg_2000 = partial(jpeg2k_encode, codecformat="j2k", reversible=True)
lossless_jpeg = partial(jpeg_encode, lossless=True, bitspersample=16)
PALETTE = (
    *(element(tag, struct.pack("<3H", 256, 0, 16), "US") for tag in (0x00281101, 0x00281102, 0x00281103)),
    *(element(tag, bytes(512), "OW") for tag in (0x00281201, 0x00281202, 0x00281203)),
)
wide_lut = element(ITEM, element(LUT_DESCRIPTOR, bytes(16_000_000)) + element(LUT_DATA, bytes(16)))

DICOM_FILMS: dict[str, Callable[[], bytes]] = {
    "deflated, 4 GB": lambda: deflated(2**32 - 2, side=100),
    "deflated, 4 GB, wrong length of meta information": lambda: deflated(2**32 - 2, side=100, wrong_length=True),
    "deflated, 64 megapixels": lambda: deflated(2 * PIXELS),
    "deflated, 64 megapixels, MONOCHROME1 with a window": lambda: deflated(
        2 * PIXELS,
        photometric=b"MONOCHROME1 ",
        extra=(element(WINDOW_CENTER, b"100 ", "DS"), element(WINDOW_CENTER + 1, b"50", "DS")),
    ),
    "deflated, 64 megapixels, 16-bit RGB": lambda: deflated(6 * PIXELS, samples=3, photometric=b"RGB "),
    "deflated, 64 megapixels, palette": lambda: deflated(PIXELS, bits=8, photometric=b"PALETTE COLOR ", extra=PALETTE),
    "deflated, 64 megapixels, YBR": lambda: deflated(3 * PIXELS, bits=8, samples=3, photometric=b"YBR_FULL"),
    "deflated, 64 megapixels, 32 bits": lambda: deflated(4 * PIXELS, bits=32),
    "RLE, runs": lambda: run_lengths(RUN * 50_000_000),
    "RLE, empty runs": lambda: run_lengths(b"\x80" * 100_000_000),
    "RLE, 64 megapixels": lambda: run_lengths(RUN * (PIXELS // 128), SIDE),
    "JPEG 2000, other size": lambda: codestream(uid.JPEG2000Lossless, jpeg_2000, 100),
    "JPEG 2000, 64 megapixels": lambda: codestream(uid.JPEG2000Lossless, jpeg_2000, SIDE),
    "JPEG-LS, other size": lambda: codestream(uid.JPEGLSLossless, jpegls_encode, 100),
    "JPEG-LS, 64 megapixels": lambda: codestream(uid.JPEGLSLossless, jpegls_encode, SIDE),
    "lossless JPEG, 64 megapixels": lambda: codestream(uid.JPEGLosslessSV1, lossless_jpeg, SIDE),
    "empty fragments": lambda: film(uid.JPEGLosslessSV1, encapsulated(element(ITEM) * 10_000_000), side=100),
    "millions of windows": lambda: implicit(element(WINDOW_CENTER, b"1\\" * 10_000_000)),
    "millions of bits stored": lambda: implicit(element(BITS_STORED, bytes(16_000_000))),
    "millions of elements": lambda: implicit(element(0x00091001) * 5_000_000),
    "millions of items": lambda: implicit(sequence(VOI_LUT, element(ITEM) * 1_000_000)),
    "millions of items, of known length": lambda: implicit(
        sequence(VOI_LUT, element(ITEM) * 1_000_000, open_ended=False)
    ),
    "an item with millions of values": lambda: implicit(sequence(VOI_LUT, wide_lut, open_ended=False)),
    "deeply nested sequences": lambda: implicit(nested(100_000)),
}
