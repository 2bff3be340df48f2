"""Expand command-line arguments into films: files, folders, globs and standard input."""

from __future__ import annotations

import glob
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pneumo_infer.films.raster import FilmSource

STDIN = "-"


def expand(arguments: Iterable[str]) -> Iterator[FilmSource]:
    """Yield the films for each argument, in order.

    A folder stands for all films below it, recognised by suffix and sorted by path; a pattern with `*`, `?` or `[` for
    its sorted matches; `-` for one film on standard input. An argument that matches nothing is yielded unchanged, so
    that it gets a record with an error.
    """
    for argument in arguments:
        if argument == STDIN:
            yield as_named_stream(sys.stdin.buffer.read(), STDIN)
        elif Path(argument).is_dir():
            yield from _films_below(Path(argument)) or [argument]
        elif glob.has_magic(argument) and not Path(argument).exists():
            yield from sorted(glob.glob(argument, recursive=True)) or [argument]
        else:
            yield argument


def as_named_stream(encoded: bytes, name: str) -> io.BytesIO:
    """Wrap an encoded film in a stream whose name appears in records and errors."""
    film = io.BytesIO(encoded)
    film.name = name
    return film


def _films_below(folder: Path) -> list[str]:
    from pneumo_infer.films.raster import FILE_SUFFIXES

    return sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in FILE_SUFFIXES and path.is_file())
