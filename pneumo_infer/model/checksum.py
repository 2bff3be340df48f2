"""Verify model files against the SHA-256 digests in SHA256SUMS next to them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from pneumo_infer.errors import ModelError

CHECKSUMS = "SHA256SUMS"  # in the format of `sha256sum`
# The first line of the list while pneumo-train or pneumo-export moves files into the folder; `sha256sum` skips it.
INCOMPLETE = "# pneumo: this folder is incomplete until this line is removed"


@dataclass(frozen=True, slots=True)
class Checksums:
    """A list of digests: file name to hexadecimal SHA-256, and whether its folder was published completely."""

    digests: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True


def read_checksums(listing: Path) -> Checksums:
    """Read SHA256SUMS; if there is none, the result is empty.

    Raises
    ------
    ModelError
        SHA256SUMS cannot be read.
    """
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return Checksums()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(str(listing), f"cannot be read ({error})", "copy the model folder again") from error
    # A line is the digest, a space, a space (text mode) or asterisk (binary mode), and the name.
    digests = {name[1:]: digest for digest, _, name in (line.partition(" ") for line in lines)}
    return Checksums(digests, complete=INCOMPLETE not in lines)


def listed_digest(path: Path) -> str | None:
    """Look up a file's SHA-256 in SHA256SUMS next to it.

    Returns
    -------
    str or None
        The hexadecimal digest, or None if there is no SHA256SUMS or it does not list the file.

    Raises
    ------
    ModelError
        SHA256SUMS cannot be read, or says that the folder was not published completely.
    """
    checksums = read_checksums(path.with_name(CHECKSUMS))
    if not checksums.complete:
        problem = "is incomplete, because publishing the files in it did not end"
        raise ModelError(str(path.parent), problem, "export or publish the model again")
    return checksums.digests.get(path.name)


def start_verifying(path: Path) -> Callable[[], None]:
    """Start hashing a file in a background thread. A file that SHA256SUMS does not list always passes.

    Returns
    -------
    callable
        Waits for the digest and raises ModelError if it differs from the listed one.
    """
    expected = listed_digest(path)
    if expected is None:
        return lambda: None
    digests: list[str] = []
    hashing = Thread(target=lambda: digests.append(file_digest(path)), daemon=True)
    hashing.start()

    def wait() -> None:
        hashing.join()
        if digests != [expected]:
            raise ModelError(
                path.name,
                f"is not the file that was released (its SHA-256 differs from the one in {CHECKSUMS})",
                "copy the model again or reinstall pneumo-infer",
            )

    return wait


def file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file as a hexadecimal string."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
