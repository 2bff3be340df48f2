"""Size and time of a film's file, by which a later run notices that it has been replaced."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pneumo_infer.films.source import FilmSource


class FileState(NamedTuple):
    """Size in bytes, and time of the last change of the content in seconds since 1970 UTC. None if not known."""

    size: int | None = None
    modified: float | None = None


def file_state(source: FilmSource) -> FileState:
    """Look up the state of a film that is a path. Other films, and files that cannot be accessed, have none."""
    if not isinstance(source, (str, os.PathLike)):
        return FileState()
    try:
        status = os.stat(source)  # noqa: PTH116  # a Path takes longer
    except (OSError, ValueError):
        return FileState()
    return FileState(status.st_size, status.st_mtime)
