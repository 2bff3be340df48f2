"""Refuse JPEG 2000 codestreams whose header asks for far more than a film needs (ISO/IEC 15444-1, annex A)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

START = b"\xff\x4f\xff\x51"  # start of codestream, then the image and tile size
SIZE, CODING_STYLE, COMPONENT_STYLE, START_OF_TILE = 0xFF51, 0xFF52, 0xFF53, 0xFF90
# A decoder keeps a record of some hundred bytes for each tile, precinct and code block.
MAX_TILES = 5_000
LEAST_PRECINCT, LEAST_CODE_BLOCK = 5, 8  # log2 of a precinct's side, and of a code block's area
MAX_LAYERS = 100


def require_jpeg_2000_size(encoded: bytes, width: int, height: int, components: int | None = None) -> None:
    """Check the header of a codestream, bare or in a file, against what surrounds it.

    Parameters
    ----------
    encoded
        The codestream, or a JP2 file.
    width, height, components
        What the codestream is to hold, in pixels and samples per pixel. None is any number of samples up to 4.

    Raises
    ------
    ValueError
        It holds something else, or has more tiles, precincts, code blocks or layers than any film.
    """
    start = encoded.find(START)
    if start < 0:
        raise ValueError("it holds no JPEG 2000 codestream")
    for marker, segment in _main_header(encoded, start + 2):
        if marker == SIZE:
            _check_size(segment, (width, height, components))
        elif marker == CODING_STYLE:
            _check_style(segment[5:], layers=int.from_bytes(segment[2:4], "big"))
        elif marker == COMPONENT_STYLE:
            _check_style(segment[2:], layers=1)


def _main_header(encoded: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield each marker and its parameters up to the first tile."""
    while at + 4 <= len(encoded):
        marker, length = struct.unpack_from(">HH", encoded, at)
        if marker == START_OF_TILE or length < 2:
            return
        yield marker, encoded[at + 4 : at + 2 + length]
        at += 2 + length


def _check_size(segment: bytes, expected: tuple[int, int, int | None]) -> None:
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, components = struct.unpack_from(
        ">8IH", segment, 2
    )
    width, height, samples = expected
    if (right - left, bottom - top) != (width, height):
        raise ValueError(f"its codestream has {right - left} x {bottom - top} pixels, its header {width} x {height}")
    if components != samples and not (samples is None and components <= 4):
        raise ValueError(f"its codestream has {components} components")
    tiles = -(-(right - tile_left) // max(tile_width, 1)) * -(-(bottom - tile_top) // max(tile_height, 1))
    if tiles > MAX_TILES:
        raise ValueError(f"its codestream has {tiles} tiles")


def _check_style(parameters: bytes, *, layers: int) -> None:
    """Check a coding style: number of decompositions, code block, its style, transform, and precincts if given."""
    _levels, block_width, block_height, _style, _transform, *precincts = parameters
    if block_width + 2 + block_height + 2 < LEAST_CODE_BLOCK:
        raise ValueError("its codestream has code blocks of fewer than 256 samples")
    if layers > MAX_LAYERS:
        raise ValueError(f"its codestream has {layers} layers")
    if any(min(size & 15, size >> 4) < LEAST_PRECINCT for size in precincts):
        raise ValueError("its codestream has precincts smaller than 32 x 32")
