"""Films made to cost far more time or memory than their size suggests, by name.

python tests/hostile_films.py FOLDER [WORD...] writes those whose names contain a word.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from hostile_dicom import DICOM_FILMS, PIXELS, SIDE
from made_films import draw_film
from PIL import Image

SMALL = 64
PNG_START = b"\x89PNG\r\n\x1a\n"
ENTRY = "<HHII"  # of a TIFF directory
BYTE, SHORT, LONG, UNDEFINED = 1, 3, 4, 7


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def large(mode: str, side: int = SIDE) -> Image.Image:
    """A film of the largest size, black but for a corner."""
    picture = Image.new(mode, (side, side))
    picture.paste(Image.fromarray(draw_film(0)).convert(mode) if mode in ("RGB", "RGBA") else 200, (0, 0, 360, 300))
    return picture


def small(form: str, **options: object) -> bytes:
    return encoded(Image.fromarray(draw_film(0, height=SMALL, width=SMALL)), form, **options)


def jpeg_scans(side: int, count: int) -> bytes:
    """A progressive film whose last scan, which is empty but for its header, comes again and again."""
    whole = encoded(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * count + whole[-2:]


def jpeg_with(segments: bytes) -> bytes:
    whole = small("JPEG")
    return whole[:2] + segments + whole[2:]


def shared_values(entries: int, size: int) -> bytes:
    """A TIFF directory whose entries all have the same `size` bytes."""
    start = 8 + 2 + entries * 12 + 4
    directory = b"".join(struct.pack(ENTRY, 1000 + tag, UNDEFINED, size, start) for tag in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + directory + bytes(4) + bytes(size)


def application_1(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, before: bytes = b"", after: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes((width + 1) * height), 1))
    return PNG_START + header + before + pixels + after + chunk(b"IEND")


def tiff(*, tile: int = 0, directories: int = 1) -> bytes:
    """A film of 64 x 64 pixels, whose only tile may be larger, and which may have many directories."""
    whole = bytearray(b"II*\0")
    stored = zlib.compress(bytes(SMALL * SMALL))
    whole += struct.pack("<I", 8 + len(stored)) + stored
    shape = [(322, LONG, 1, tile), (323, LONG, 1, tile), (324, LONG, 1, 8), (325, LONG, 1, len(stored))]
    strip = [(273, LONG, 1, 8), (278, SHORT, 1, SMALL), (279, LONG, 1, len(stored))]
    tags = [(256, SHORT, 1, SMALL), (257, SHORT, 1, SMALL), (258, SHORT, 1, 8), (259, SHORT, 1, 8), (262, SHORT, 1, 1)]
    tags = sorted([*tags, *(shape if tile else strip)])
    for number in range(directories):
        last = number == directories - 1
        whole += struct.pack("<H", len(tags)) + b"".join(struct.pack(ENTRY, *tag) for tag in tags)
        whole += struct.pack("<I", 0 if last else len(whole) + 4)
    return bytes(whole)


def webp_with(chunks: bytes) -> bytes:
    whole = encoded(
        Image.fromarray(draw_film(0)).convert("RGBA"), "WEBP", lossless=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"
    )
    body = whole[12:] + chunks
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def jp2_with(boxes: bytes) -> bytes:
    whole = small("JPEG2000")
    end_of_type = 12 + int.from_bytes(whole[12:16], "big")
    return whole[:end_of_type] + boxes + whole[end_of_type:]


def small_precincts() -> bytes:
    """A codestream of 8000 x 8000 with precincts of one pixel."""
    whole = encoded(
        Image.new("L", (SIDE, SIDE)), "JPEG2000", no_jp2=True, precinct_size=(128, 128), codeblock_size=(64, 64)
    )
    style = whole.index(b"\xff\x52")
    length = int.from_bytes(whole[style + 2 : style + 4], "big")
    precincts = length - 12
    end = style + 2 + length
    return whole[: end - precincts] + bytes(precincts) + whole[end:]


def run_length_bmp(side: int) -> bytes:
    """Runs of one pixel each, with 8 bits for each pixel."""
    line = b"\x01\x10" * side + b"\0\0"
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in range(256))
    pixels = line * side
    start = 14 + 40 + len(palette)
    head = struct.pack(
        "<2sIIIIiiHHIIiiII", b"BM", start + len(pixels), 0, start, 40, side, side, 1, 8, 1, len(pixels), 0, 0, 256, 0
    )
    return head + palette + pixels


FILMS: dict[str, Callable[[], bytes]] = {
    **{f"DICOM, {name}": make for name, make in DICOM_FILMS.items()},
    "JPEG, 64 megapixels, 1000 scans": lambda: jpeg_scans(SIDE, 1000),
    "JPEG, 64 megapixels, 30 scans": lambda: jpeg_scans(SIDE, 20),
    "JPEG, 4 megapixels, 3000 scans": lambda: jpeg_scans(2000, 3000),
    "JPEG, 64 megapixels, progressive, colour": lambda: encoded(large("RGB"), "JPEG", progressive=True, subsampling=0),
    "JPEG, fill bytes": lambda: jpeg_with(b"\xff" * 100_000_000),
    "JPEG, application segments": lambda: jpeg_with((b"\xff\xe5\xff\xff" + bytes(65_533)) * 3000),
    "JPEG, empty segments": lambda: jpeg_with(b"\xff\xe5\0\x02" * 10_000_000),
    "JPEG, shared EXIF values": lambda: jpeg_with(application_1(b"Exif\0\0" + shared_values(3000, 28_000))),
    "PNG, shared EXIF values": lambda: png(SMALL, SMALL, chunk(b"eXIf", shared_values(30_000, 1_000_000))),
    "PNG, 64 megapixels, 16-bit grey": lambda: encoded(large("I;16"), "PNG", compress_level=1),
    "PNG, 64 megapixels, RGBA": lambda: encoded(large("RGBA"), "PNG", compress_level=1),
    "PNG, a column": lambda: png(1, PIXELS),
    "PNG, empty chunks": lambda: png(SMALL, SMALL, chunk(b"teSt") * 5_000_000),
    "PNG, empty chunks at the end": lambda: png(SMALL, SMALL, after=chunk(b"teSt") * 5_000_000),
    "PNG, metadata": lambda: png(SMALL, SMALL, chunk(b"teSt", bytes(100_000_000))),
    "TIFF, 100,000 directories": lambda: tiff(directories=100_000),
    "TIFF, shared values": lambda: shared_values(60_000, 10_000_000),
    "TIFF, a tile of 60,000 x 60,000": lambda: tiff(tile=60_000),
    "TIFF, 64 megapixels, 32 bits": lambda: encoded(large("I"), "TIFF"),
    "TIFF, 64 megapixels, one strip of colour": lambda: encoded(
        large("RGB"), "TIFF", compression="tiff_adobe_deflate", strip_size=2**30
    ),
    "BMP, runs of one pixel": lambda: run_length_bmp(7000),
    "WebP, 64 megapixels": lambda: encoded(large("RGB"), "WEBP", lossless=True, method=0, quality=0),
    "WebP, 30 megapixels": lambda: encoded(large("RGB", 5475), "WEBP", lossless=True, method=0, quality=0),
    "WebP, empty chunks": lambda: webp_with((b"teSt" + bytes(4)) * 10_000_000),
    "JPEG 2000, empty boxes": lambda: jp2_with(struct.pack(">I4s", 8, b"free") * 5_000_000),
    "JPEG 2000, 64 megapixels, grey": lambda: encoded(large("L"), "JPEG2000"),
    "JPEG 2000, 64 megapixels, colour": lambda: encoded(Image.new("RGB", (SIDE, SIDE)), "JPEG2000"),
    "JPEG 2000, precincts of one pixel": small_precincts,
}


def main() -> None:
    folder, *words = sys.argv[1:]
    for name, make in FILMS.items():
        if not words or any(word in name for word in words):
            Path(folder, name.replace(",", "").replace(" ", "_")).write_bytes(make())


if __name__ == "__main__":
    main()
