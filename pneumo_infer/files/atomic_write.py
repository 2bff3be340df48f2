"""Write files atomically: a reader sees the complete file or none."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from pneumo_infer.files.file_lock import lock_if_supported, try_lock

# The name starts with a dot, so folder scans skip it, and is short enough for any file system.
PREFIX = ".pneumo-tmp-"
LONGEST_SUFFIX = 16  # bytes; some writers choose the format by the suffix


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, and rename it to `path` if the block succeeds.

    - The temporary file has a random name and is created exclusively, so no other file is written to.
    - If `path` is a symbolic link, its target is replaced and the link is kept.
    - A device or pipe cannot be replaced: `path` itself is yielded, to be written to.
    - Temporary files of processes that were killed are removed from the folder.

    Raises
    ------
    OSError
        The folder does not exist or is not writable, or `path` is a folder.
    """
    if is_device_or_pipe(path):
        yield path
        return
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    remove_leftovers(target.parent)
    temporary, descriptor = _create(target)
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """Open a text file that appears under its final name only once it is complete.

    The text is UTF-8. File names that are not valid UTF-8, in which Python marks the invalid bytes with surrogates
    (PEP 383), are written byte for byte.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        yield file


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON atomically, with keys in the given order."""
    with atomic_write(path) as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def is_device_or_pipe(path: Path) -> bool:
    """Return whether a path, or the target of a link, is a device, a pipe or a socket."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@cache
def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that killed processes left in a folder. Each folder is searched once per process."""
    with suppress(OSError), os.scandir(folder) as entries:
        for leftover in [Path(entry) for entry in entries if entry.name.startswith(PREFIX)]:
            with suppress(OSError), leftover.open("rb") as file:
                if try_lock(file.fileno()):  # its process would still hold the lock
                    leftover.unlink()


def _create(target: Path) -> tuple[Path, int]:
    """Create a temporary file next to `target`, and lock it for as long as the descriptor is open."""
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= LONGEST_SUFFIX else ""
    while True:
        temporary = target.with_name(f"{PREFIX}{secrets.token_hex(8)}{suffix}")
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        # Before it was locked, another process may have taken it for a leftover.
        if lock_if_supported(descriptor) and os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)
