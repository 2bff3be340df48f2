"""Refuse JPEG files that would take far longer to decode than their size suggests (ITU-T T.81, annex B)."""

from __future__ import annotations

from collections.abc import Iterator

from pneumo_infer.errors import ImageError
from pneumo_infer.films.bounds.exif import EXIF, require_reasonable_exif
from pneumo_infer.films.bounds.reader import MAX_HEADER_BYTES

START_OF_IMAGE, START_OF_SCAN, APPLICATION_1 = b"\xff\xd8", b"\xff\xda", b"\xff\xe1"
# Progressive files of common encoders have about ten scans. libjpeg goes through the whole film again for each.
MAX_SCANS = 100
MAX_SCANNED_PIXELS = 2_000_000_000  # about a second


def require_reasonable_scans(encoded: bytes, pixels: int, name: str) -> None:
    """Check the number of scans of a JPEG film with this number of pixels.

    Raises
    ------
    ImageError
        The film has too many for its size.
    """
    most = max(1, min(MAX_SCANS, MAX_SCANNED_PIXELS // max(pixels, 1)))
    scans = encoded.count(START_OF_SCAN)
    if scans > most:
        raise ImageError(name, f"has {scans} JPEG scans, more than {most}", "save the film again as baseline JPEG")


def require_reasonable_jpeg_exif(encoded: bytes, name: str) -> None:
    """Check the EXIF segments of a file, if it is JPEG, before Pillow parses them.

    Raises
    ------
    ImageError
        See `require_reasonable_exif`.
    """
    if encoded.startswith(START_OF_IMAGE) and EXIF in encoded[:MAX_HEADER_BYTES]:
        parts = [content for marker, content in _segments(encoded) if marker == APPLICATION_1]
        require_reasonable_exif(b"".join(part.removeprefix(EXIF) for part in parts if part.startswith(EXIF)), name)


def _segments(encoded: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the marker and content of each segment up to the first scan; stop where they are damaged."""
    at = len(START_OF_IMAGE)
    while at < min(len(encoded), MAX_HEADER_BYTES):
        marker = encoded[at : at + 2]
        if marker[:1] != b"\xff" or marker == START_OF_SCAN:
            return
        if marker == b"\xff\xff":  # a fill byte
            at += 1
            continue
        end = at + 2 + int.from_bytes(encoded[at + 2 : at + 4], "big")
        yield marker, encoded[at + 4 : end]
        at = end
