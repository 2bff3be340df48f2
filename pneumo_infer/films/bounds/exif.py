"""Refuse EXIF metadata whose entries share their bytes, of which Pillow would make a copy for each (TIFF 6.0)."""

from __future__ import annotations

import struct

from pneumo_infer.errors import ImageError

EXIF = b"Exif\0\0"
ENTRY_SIZE = 12
# Bytes of a value of each type of field, by number.
TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)


def require_reasonable_exif(exif: bytes, name: str) -> None:
    """Check the first directory of EXIF metadata without reading its values.

    Raises
    ------
    ImageError
        Its values have more bytes than the metadata.
    """
    while exif.startswith(EXIF):
        exif = exif[len(EXIF) :]
    order = "<" if exif.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
    except struct.error:
        return  # damaged metadata do not matter, because the film can be read without them
    directory = exif[start + 2 : start + 2 + count * ENTRY_SIZE]
    entries = struct.iter_unpack(f"{order}HHII", directory[: len(directory) // ENTRY_SIZE * ENTRY_SIZE])
    size = sum(number * TYPE_BYTES[kind] for _tag, kind, number, _value in entries if kind < len(TYPE_BYTES))
    if size > len(exif):
        raise ImageError(
            name, f"has {len(exif)} bytes of EXIF metadata that claim to be {size}", "export it without metadata"
        )
