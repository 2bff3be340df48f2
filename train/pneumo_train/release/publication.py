"""Publish files in one step: a reader finds all of them, all earlier ones, or a folder that it refuses.

The list of digests, SHA256SUMS, is the manifest of a folder. It is first replaced by one that says that the folder is
incomplete, then the files are moved, and the last step replaces it again. Whenever a process is killed in between,
`pneumo-infer` and `pneumo-export` refuse the models in the folder, and publishing again repairs it.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pneumo_infer.cli.interrupts import holding_interrupts
from pneumo_infer.files.atomic_write import atomic_write
from pneumo_infer.files.file_lock import lock_if_supported, try_lock
from pneumo_infer.model.checksum import CHECKSUMS, INCOMPLETE, file_digest, read_checksums

PREFIX = ".publish-"
LOCK = ".lock"
MODEL_SUFFIXES = (".keras", ".onnx")


@contextmanager
def staging(output: Path) -> Iterator[Path]:
    """Yield a temporary folder on the same disk as `output`, which is created if missing.

    The folder is removed at the end, and so are those that killed processes left.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    output.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(output)
    with tempfile.TemporaryDirectory(dir=output, prefix=PREFIX) as folder, Path(folder, LOCK).open("w") as lock:
        lock_if_supported(lock.fileno())
        yield Path(folder)


def _remove_leftovers(output: Path) -> None:
    for folder in output.glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / LOCK).open("rb") as lock:
            if try_lock(lock.fileno()):  # its process would still hold the lock
                shutil.rmtree(folder)


def publish_files(staged: Path, output: Path, files: Sequence[str], manifest: str = CHECKSUMS) -> None:
    """Move files from a staging folder to a folder, and list the digests of the models there. Interrupts are delayed.

    Parameters
    ----------
    staged
        As from `staging`.
    files
        Paths relative to both folders. Other files of the folder stay there.
    manifest
        Path of SHA256SUMS, relative to the folder, next to the models.

    Raises
    ------
    OSError
        The folder cannot be written, or a file would replace a folder.
    ModelError
        SHA256SUMS cannot be read.
    """
    for name in files:
        if (output / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(output / name))
    listing = output / manifest
    digests = _carried_over(listing) | _digests(staged / name for name in files)
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    with holding_interrupts():
        for name in [manifest, *files]:
            (output / name).parent.mkdir(parents=True, exist_ok=True)
        _write(listing, f"{INCOMPLETE}\n{lines}")
        for name in files:
            (staged / name).replace(output / name)
        _write(listing, lines)


def _digests(files: Iterable[Path]) -> dict[str, str]:
    return {file.name: file_digest(file) for file in files if file.suffix in MODEL_SUFFIXES}


def _carried_over(listing: Path) -> dict[str, str]:
    """Return the digests of the models in the folder. Listed ones stay, so that altered files are refused."""
    present = {file.name: file for suffix in MODEL_SUFFIXES for file in listing.parent.glob(f"*{suffix}")}
    listed = {name: digest for name, digest in read_checksums(listing).digests.items() if name in present}
    return listed | _digests(file for name, file in present.items() if name not in listed)


def _write(listing: Path, text: str) -> None:
    with atomic_write(listing) as file:
        file.write(text)
