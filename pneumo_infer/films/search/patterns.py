"""Expand patterns such as `archive/**/*.png`. Unlike in the module `glob`, `**` visits each real folder once."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Callable, Iterator
from pathlib import PurePath

from pneumo_infer.films.search.folders import walk

RECURSIVE = "**"


def expand_pattern(pattern: str, on_closed: Callable[[str], object]) -> list[str]:
    """Find the files and folders that a pattern stands for.

    `*`, `?` and `[...]` match within a name, and `**` any folders, even none. A name that starts with a dot needs a
    pattern that does.

    Parameters
    ----------
    pattern
        The pattern.
    on_closed
        Called with the path of each folder that cannot be listed.

    Returns
    -------
    list of str
        Paths, sorted, each once.
    """
    path = PurePath(pattern)
    parts = list(path.parts[1:] if path.anchor else path.parts)
    while parts and parts[-1] == RECURSIVE:  # a folder stands for what is below it
        parts.pop()
    found = {path.anchor}
    for part in parts:
        found = {match for folder in found for match in _step(folder, part, on_closed)}
    return sorted(match or os.curdir for match in found)


def _step(folder: str, part: str, on_closed: Callable[[str], object]) -> Iterator[str]:
    if part == RECURSIVE:
        if not folder or os.path.isdir(folder):  # noqa: PTH112  # Path.is_dir raises an error without permission
            yield from (str(PurePath(path)) for path, _ in walk(folder or os.curdir, on_closed))
    elif not glob.has_magic(part):
        yield from (path for path in [_join(folder, part)] if os.path.lexists(path))
    else:
        for name in fnmatch.filter(_names(folder, on_closed), part):
            if part.startswith(".") or not name.startswith("."):
                yield _join(folder, name)


def _join(folder: str, name: str) -> str:
    return name if folder in ("", os.curdir) else str(PurePath(folder, name))


def _names(folder: str, on_closed: Callable[[str], object]) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder or os.curdir)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        on_closed(folder or os.curdir)
        return []
