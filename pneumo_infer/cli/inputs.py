"""Expand command-line arguments into films: files, folders, patterns and standard input."""

from __future__ import annotations

import errno
import glob
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pneumo_infer.files.atomic_write import is_device_or_pipe
from pneumo_infer.films.source import source_name
from pneumo_infer.limits import LIMITS, Limits

if TYPE_CHECKING:
    from pneumo_infer.films.source import FilmSource

STDIN = "-"


class Inputs:
    """The films that the arguments stand for, in order, each once, and the number of other files in their folders."""

    def __init__(self) -> None:
        self.films: list[FilmSource] = []
        self.other_files = 0
        self._identities = Identities()
        self._seen: set[str] = set()

    def add(self, film: FilmSource) -> None:
        """Add a film, unless it is a file that is there already, perhaps under another path."""
        identity = self._identities.of(source_name(film))
        if identity not in self._seen:
            self._seen.add(identity)
            self.films.append(film)

    def add_folder(self, folder: str) -> None:
        """Add all films below a folder, and what is there but cannot be read; if there is nothing, the folder."""
        from pneumo_infer.films.search.folders import find_films

        found = find_films(Path(folder))
        sources: list[FilmSource] = [*found.films, *found.closed_folders, *map(NotAFile, found.not_files)]
        for source in sorted(sources, key=source_name) or [folder]:
            self.add(source)
        self.other_files += found.other_files

    def add_pattern(self, pattern: str) -> None:
        """Add all matches of a pattern; if there are none, the pattern. A folder stands for the films below it."""
        from pneumo_infer.films.pictures import is_own_picture
        from pneumo_infer.films.search.patterns import expand_pattern

        closed: list[str] = []
        found = expand_pattern(pattern, closed.append)
        for match in sorted({*found, *closed}) or [pattern]:
            if match not in closed and os.path.isdir(match):  # noqa: PTH112  # Path.is_dir raises if it may not look
                self.add_folder(match)
            elif is_own_picture(Path(match)):
                self.other_files += 1
            else:
                self.add(NotAFile(match) if is_device_or_pipe(Path(match)) else match)


class Identities:
    """Tells whether two paths name the same file."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> str:
        """Return the absolute path of a file without links in its folders. Linked files have different identities."""
        if path == STDIN:
            return STDIN
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], name)  # noqa: PTH118  # a Path takes several times as long


class NotAFile(io.BytesIO):
    """Stands for what cannot be read, such as a pipe, socket or device that is named like a film."""

    def __init__(self, name: str, reason: str = "a pipe, socket or device in a folder of films") -> None:
        super().__init__()
        self.name = name
        self._reason = reason

    def read(self, _size: int | None = -1) -> bytes:
        raise OSError(errno.EINVAL, self._reason)


def expand(arguments: Iterable[str], limits: Limits = LIMITS) -> Inputs:
    """Expand command-line arguments into films.

    A folder stands for all films below it, sorted by path; a pattern with `*`, `?` or `[` for its sorted matches; `-`
    for one film on standard input. An argument that matches nothing is kept unchanged, so that it gets a record with an
    error.
    """
    inputs = Inputs()
    for argument in arguments:
        if argument == STDIN:
            inputs.add(_read_stdin(limits))
        elif os.path.isdir(argument):  # noqa: PTH112  # Path.is_dir raises an error if the name is too long
            inputs.add_folder(argument)
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            inputs.add_pattern(argument)
        else:
            inputs.add(argument)
    return inputs


def _read_stdin(limits: Limits) -> FilmSource:
    try:
        # One byte more than allowed, so that a longer film is refused.
        return as_named_stream(sys.stdin.buffer.read(limits.encoded_bytes + 1), STDIN)
    except AttributeError:  # Python has no object for a stream that is closed
        return NotAFile(STDIN, "closed")
    except OSError as error:
        return NotAFile(STDIN, error.strerror or str(error))


def as_named_stream(encoded: bytes, name: str) -> io.BytesIO:
    """Wrap an encoded film in a stream whose name appears in records and errors."""
    film = io.BytesIO(encoded)
    film.name = name
    return film
