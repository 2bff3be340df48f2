"""Expand command-line arguments into films: files, folders, patterns and standard input."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pneumo_infer.cli.output.console import warn
from pneumo_infer.errors import ImageError
from pneumo_infer.files.atomic_write import is_device_or_pipe
from pneumo_infer.films.source import source_name
from pneumo_infer.limits import LIMITS, Limits

if TYPE_CHECKING:
    from pneumo_infer.films.source import FilmSource

STDIN = "-"
STDIN_REMEDY = "redirect a film to it"


class Inputs:
    """The films that the arguments stand for, in order, each once.

    Attributes
    ----------
    films
        The films.
    own_pictures
        Overlays and other pictures that pneumo-infer has drawn, which were named or match a pattern.
    other_files
        Number of other files in folders.
    """

    def __init__(self) -> None:
        self.films: list[FilmSource] = []
        self.own_pictures: list[str] = []
        self.other_files = 0
        self._identities = Identities()
        self._seen: set[str] = set()

    def add(self, film: FilmSource) -> None:
        """Add a film, unless it is a file that is there already, perhaps under another path."""
        identity = self._identities.of(source_name(film))
        if identity not in self._seen:
            self._seen.add(identity)
            self.films.append(film)

    def add_file(self, path: str) -> None:
        """Add a film, unless pneumo-infer has drawn it. Patterns that a shell expands match overlays as well."""
        from pneumo_infer.films.pictures import is_own_picture

        if is_own_picture(Path(path)):
            self.own_pictures.append(path)
        else:
            self.add(path)

    def add_folder(self, folder: str) -> None:
        """Add all films below a folder, and what is there but cannot be read; if there is nothing, the folder."""
        from pneumo_infer.films.search.folders import find_films

        found = find_films(Path(folder))
        sources: list[FilmSource] = [*found.films, *found.closed_folders, *map(_not_a_file, found.not_files)]
        for source in sorted(sources, key=source_name) or [folder]:
            self.add(source)
        self.other_files += found.other_files

    def add_pattern(self, pattern: str) -> None:
        """Add all matches of a pattern; if there are none, the pattern. A folder stands for the films below it."""
        from pneumo_infer.films.search.patterns import expand_pattern

        closed: list[str] = []
        found = expand_pattern(pattern, closed.append)
        for match in sorted({*found, *closed}) or [pattern]:
            if match not in closed and os.path.isdir(match):  # noqa: PTH112  # Path.is_dir raises if it may not look
                self.add_folder(match)
            elif is_device_or_pipe(Path(match)):
                self.add(_not_a_file(match))
            else:
                self.add_file(match)


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


class NotAFilm(io.BytesIO):
    """Stands for what is not read, but gets a record with an error."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__()
        self.name = name
        self._error = ImageError(name, problem, remedy)

    def read(self, _size: int | None = -1) -> bytes:
        raise self._error


def _not_a_file(path: str) -> NotAFilm:
    # Opening it might wait forever.
    return NotAFilm(path, "a pipe, socket or device that is named like a film", "remove it, or name it to read from it")


def expand(arguments: Iterable[str], limits: Limits = LIMITS) -> Inputs:
    """Expand command-line arguments into films.

    A folder stands for all films below it, sorted by path; a pattern with `*`, `?` or `[` for its sorted matches; `-`
    for one film on standard input. An argument that matches nothing is kept unchanged, so that it gets a record with an
    error. Pictures that pneumo-infer has drawn are left out with a message; if there is nothing else, each gets a
    record with an error.
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
            inputs.add_file(argument)
    if inputs.films and inputs.own_pictures:
        warn(f"skipped pictures that pneumo-infer has drawn: {len(inputs.own_pictures)}")
    elif inputs.own_pictures:
        for picture in inputs.own_pictures:
            inputs.add(NotAFilm(picture, "a picture that pneumo-infer has drawn", "name the film itself"))
    return inputs


def _read_stdin(limits: Limits) -> FilmSource:
    try:
        # One byte more than allowed, so that a longer film is refused.
        return as_named_stream(sys.stdin.buffer.read(limits.encoded_bytes + 1), STDIN)
    except AttributeError:  # Python has no object for a stream that is closed
        return NotAFilm(STDIN, "is closed", STDIN_REMEDY)
    except OSError as error:
        return NotAFilm(STDIN, f"cannot be read ({error.strerror})", STDIN_REMEDY)


def as_named_stream(encoded: bytes, name: str) -> io.BytesIO:
    """Wrap an encoded film in a stream whose name appears in records and errors."""
    film = io.BytesIO(encoded)
    film.name = name
    return film
