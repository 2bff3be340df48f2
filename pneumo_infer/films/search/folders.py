"""Find the films in a folder, by suffix, or by content where the file name does not say what it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pneumo_infer.files.atomic_write import is_device_or_pipe
from pneumo_infer.films.dicom.file import MAGIC, MAGIC_OFFSET
from pneumo_infer.films.pictures import is_own_picture, read_start
from pneumo_infer.films.raster import FILE_SUFFIXES

# Folders and files of operating systems and editors; those that start with a dot are skipped as well.
SYSTEM_NAMES = ("__MACOSX", "Thumbs.db", "desktop.ini")
# The index of a DICOM medium has the prefix of a DICOM file, but no image (PS3.10 8.6).
DICOM_INDEX = "DICOMDIR"


@dataclass(frozen=True, slots=True)
class FolderContents:
    """What is below a folder, sorted by path.

    Attributes
    ----------
    films
        The films, some of which may turn out to be unreadable.
    not_files
        Pipes, sockets and devices that are named like films. Opening a pipe might wait forever.
    closed_folders
        Folders that cannot be listed.
    other_files
        Number of other files. Pictures that pneumo-infer has drawn are among them.
    """

    films: list[str] = field(default_factory=list)
    not_files: list[str] = field(default_factory=list)
    closed_folders: list[str] = field(default_factory=list)
    other_files: int = 0


def find_films(folder: Path) -> FolderContents:
    """Find all films below a folder.

    Links to folders are followed, and each real folder is visited once. Hidden files and folders, and those of
    operating systems, are skipped and not counted.
    """
    films: list[str] = []
    not_files: list[str] = []
    closed_folders: list[str] = []
    others = 0
    for path, names in walk(folder, closed_folders.append):
        for file in (Path(path, name) for name in names if not is_system_name(name)):
            if not is_film(file):
                others += 1
            else:
                (not_files if is_device_or_pipe(file) else films).append(str(file))
    return FolderContents(sorted(films), sorted(not_files), sorted(closed_folders), others)


def walk(top: str | Path, on_closed: Callable[[str], object]) -> Iterator[tuple[str, list[str]]]:
    """Visit a folder and all folders below it that are not hidden, each real folder once. Links are followed last.

    Parameters
    ----------
    top
        The folder.
    on_closed
        Called with the path of each folder that cannot be listed.

    Yields
    ------
    tuple
        Path of a folder, and the names of the files in it.
    """
    visited: set[tuple[int, int]] = set()
    waiting = [str(top)]
    while waiting:
        links: list[str] = []
        for start in waiting:
            for path, folders, names in os.walk(start, onerror=lambda error: on_closed(str(error.filename))):
                if not _is_first_visit(Path(path), visited):
                    folders.clear()
                    continue
                folders[:] = [name for name in folders if not is_system_name(name)]
                below = [os.path.join(path, name) for name in folders]  # noqa: PTH118
                links += filter(os.path.islink, below)  # Path.is_symlink raises an error without permission
                yield path, names
        waiting = links


def _is_first_visit(folder: Path, visited: set[tuple[int, int]]) -> bool:
    try:
        status = folder.stat()
    except OSError:  # has just been removed
        return True
    identity = status.st_dev, status.st_ino
    is_first = identity not in visited
    visited.add(identity)
    return is_first


def is_system_name(name: str) -> bool:
    """Return whether a file or folder is hidden, or belongs to an operating system or an editor."""
    return name.startswith(".") or name in SYSTEM_NAMES


def is_film(path: Path) -> bool:
    """Return whether a file has the suffix of a film or is DICOM by its content, and was not drawn by pneumo-infer."""
    if path.suffix.lower() in FILE_SUFFIXES:
        return not is_own_picture(path)
    return path.name != DICOM_INDEX and _has_dicom_prefix(path)


def _has_dicom_prefix(path: Path) -> bool:
    return read_start(path, MAGIC_OFFSET + len(MAGIC))[MAGIC_OFFSET:] == MAGIC
