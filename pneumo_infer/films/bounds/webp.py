"""Refuse WebP files of many chunks, of each of which libwebp would keep a record (RFC 9649, section 2.3)."""

from __future__ import annotations

from pneumo_infer.errors import ImageError

FORM = slice(0, 4), slice(8, 12)  # RIFF, and WEBP
HEADER = 12
MAX_CHUNKS = 1000  # a film has one to six


def require_reasonable_webp(encoded: bytes, name: str) -> None:
    """Check a file, if it is WebP, without decoding it.

    Raises
    ------
    ImageError
        The file has too many chunks.
    """
    if [encoded[part] for part in FORM] != [b"RIFF", b"WEBP"]:
        return
    at, chunks = HEADER, 0
    while at < len(encoded):
        size = int.from_bytes(encoded[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise ImageError(name, f"has more than {MAX_CHUNKS} WebP chunks", "export the film again as PNG")
