"""Find the films in a folder, by suffix, or by content where the file name does not say what it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pneumo_infer.films.dicom.file import MAGIC, MAGIC_OFFSET
from pneumo_infer.films.raster import FILE_SUFFIXES

# Folders and files of operating systems and editors; those that start with a dot are skipped as well.
SYSTEM_NAMES = ("__MACOSX", "Thumbs.db", "desktop.ini")
# The index of a DICOM medium has the prefix of a DICOM file, but no image (PS3.10 8.6).
DICOM_INDEX = "DICOMDIR"


@dataclass(frozen=True, slots=True)
class FolderContents:
    """The films below a folder, sorted by path, and the number of other files."""

    films: list[str] = field(default_factory=list)
    other_files: int = 0


def find_films(folder: Path) -> FolderContents:
    """Find all films below a folder.

    Hidden files and folders, and those of operating systems, are skipped and not counted.
    """
    films, others = [], 0
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_system_name(name)]
        for file in (Path(path, name) for name in names if not is_system_name(name)):
            if is_film(file):
                films.append(str(file))
            else:
                others += 1
    return FolderContents(sorted(films), others)


def is_system_name(name: str) -> bool:
    """Return whether a file or folder is hidden, or belongs to an operating system or an editor."""
    return name.startswith(".") or name in SYSTEM_NAMES


def is_film(path: Path) -> bool:
    """Return whether a file has the suffix of a film, or is a DICOM file by its content."""
    return path.suffix.lower() in FILE_SUFFIXES or (path.name != DICOM_INDEX and _has_dicom_prefix(path))


def _has_dicom_prefix(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(MAGIC_OFFSET + len(MAGIC))[MAGIC_OFFSET:] == MAGIC
    except OSError:  # not readable, or not a regular file
        return False
