"""Where a model file comes from, by its SHA-256: this version of pneumo-infer, the file's own folder, or unknown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pneumo_infer.errors import ModelError

CHECKSUMS = "SHA256SUMS"  # in the format of `sha256sum`
# The first line of the list while pneumo-train or pneumo-export moves files into the folder; `sha256sum` skips it.
INCOMPLETE = "# pneumo: this folder is incomplete until this line is removed"

# The same list for the models of this version, inside the package: whoever replaces a folder of models, its list
# included, does not replace this one. Written by pneumo_export.released.
RELEASED = Path(__file__).with_name("released.sha256")


class Provenance(StrEnum):
    """What vouches for a model file.

    `released`: it has the digest of a model of this version. `listed`: it has the digest in `SHA256SUMS` next to it.
    `unverified`: nothing does.
    """

    RELEASED = "released"
    LISTED = "listed"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Checksums:
    """A list of digests: file name to SHA-256 in lower case, and whether its folder was published completely."""

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
    digests = {name[1:]: digest.lower() for digest, _, name in (line.partition(" ") for line in lines)}
    return Checksums(digests, complete=INCOMPLETE not in lines)


def listed_digest(path: Path) -> str | None:
    """Look up a file's SHA-256 in SHA256SUMS next to it.

    Returns
    -------
    str or None
        The digest in hexadecimal. None if SHA256SUMS does not exist or does not list the file.

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


def verify(path: Path, sha256: str) -> Provenance:
    """Compare a model's digest with the released ones and with `SHA256SUMS` next to the file.

    Parameters
    ----------
    sha256
        The digest of what was read from `path`, hexadecimal and in lower case.

    Raises
    ------
    ModelError
        `SHA256SUMS` lists another digest for this file, cannot be read, or says that its folder is incomplete.
    """
    listed = listed_digest(path)
    if listed is not None and listed != sha256:
        raise ModelError(
            path.name,
            f"is not the file that was released (its SHA-256 differs from the one in {CHECKSUMS})",
            "copy the model again or reinstall pneumo-infer",
        )
    if sha256 in read_checksums(RELEASED).digests.values():
        return Provenance.RELEASED
    return Provenance.UNVERIFIED if listed is None else Provenance.LISTED


def require_released(path: Path, sha256: str) -> None:
    """Check that a packaged model is the one that this version was released with.

    Raises
    ------
    ModelError
        It is not.
    """
    if read_checksums(RELEASED).digests.get(path.name) != sha256:
        raise ModelError(
            path.name,
            "is not the file that was released (its SHA-256 differs from the one in this version of pneumo-infer)",
            "reinstall pneumo-infer; in a clone with another model, run: python -m pneumo_export.released",
        )


def file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file as a hexadecimal string."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
