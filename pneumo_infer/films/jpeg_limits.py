"""Refuse JPEG files that would take far longer to decode than their size suggests (ITU-T T.81, annex B)."""

from __future__ import annotations

from pneumo_infer.errors import ImageError

START_OF_IMAGE, START_OF_SCAN = b"\xff\xd8", b"\xff\xda"
FILL = b"\xff" * 4096  # fill bytes may precede a marker, but no encoder writes so many
# Progressive files of common encoders have about ten scans. libjpeg decodes the whole film again for each.
MAX_SCANS = 100
MAX_HEADER_BYTES = 16_000_000  # metadata, such as EXIF and colour profiles, in front of the first scan


def require_reasonable_jpeg(encoded: bytes, name: str) -> None:
    """Check a file, if it is JPEG, without decoding it.

    Raises
    ------
    ImageError
        The file has too many scans, fill bytes or metadata.
    """
    if not encoded.startswith(START_OF_IMAGE):
        return
    remedy = "save the film again, without metadata, as baseline JPEG"
    if FILL in encoded:
        raise ImageError(name, "damaged: thousands of fill bytes between JPEG segments", remedy)
    if _header_bytes(encoded) > MAX_HEADER_BYTES:
        raise ImageError(name, f"has more than {MAX_HEADER_BYTES} bytes of JPEG metadata", remedy)
    scans = encoded.count(START_OF_SCAN)
    if scans > MAX_SCANS:
        raise ImageError(name, f"has {scans} JPEG scans, more than {MAX_SCANS}", remedy)


def _header_bytes(encoded: bytes) -> int:
    """Return where the first scan starts; stop counting beyond the limit, or where the segments are damaged."""
    at = 2
    while at <= MAX_HEADER_BYTES and encoded[at : at + 1] == b"\xff" and encoded[at : at + 2] != START_OF_SCAN:
        is_fill = encoded[at + 1 : at + 2] == b"\xff"
        at += 1 if is_fill else 2 + int.from_bytes(encoded[at + 2 : at + 4], "big")
    return at
