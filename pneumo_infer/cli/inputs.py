"""Expand command-line arguments into films: files, folders, globs and standard input."""

from __future__ import annotations

import glob
import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pneumo_infer.limits import LIMITS, Limits

if TYPE_CHECKING:
    from pneumo_infer.films.source import FilmSource

STDIN = "-"


@dataclass
class Inputs:
    """The films that the arguments stand for, in order, and the number of other files in their folders."""

    films: list[FilmSource] = field(default_factory=list)
    other_files: int = 0


def expand(arguments: Iterable[str], limits: Limits = LIMITS) -> Inputs:
    """Expand command-line arguments into films.

    A folder stands for all films below it, sorted by path; a pattern with `*`, `?` or `[` for its sorted matches; `-`
    for one film on standard input. An argument that matches nothing is kept unchanged, so that it gets a record with an
    error.
    """
    inputs = Inputs()
    for argument in arguments:
        if argument == STDIN:
            # One byte more than allowed, so that a longer film is refused.
            inputs.films.append(as_named_stream(sys.stdin.buffer.read(limits.encoded_bytes + 1), STDIN))
        elif Path(argument).is_dir():
            from pneumo_infer.films.folders import find_films

            found = find_films(Path(argument))
            inputs.films += found.films or [argument]
            inputs.other_files += found.other_files
        elif glob.has_magic(argument) and not Path(argument).exists():
            inputs.films += sorted(glob.glob(argument, recursive=True)) or [argument]
        else:
            inputs.films.append(argument)
    return inputs


def as_named_stream(encoded: bytes, name: str) -> io.BytesIO:
    """Wrap an encoded film in a stream whose name appears in records and errors."""
    film = io.BytesIO(encoded)
    film.name = name
    return film
