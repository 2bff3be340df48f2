"""Whether a model file is, to the last bit, the one that was released: its digest against the list beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from pneumo_infer.errors import ModelError

CHECKSUMS = "SHA256SUMS"  # as `sha256sum` writes it and `sha256sum --check` reads it


def listed_digest(path: Path) -> str | None:
    """Look up a file's SHA-256 in the list beside it; None where there is no list, or the file is not in it.

    Raises
    ------
    ModelError
        The list cannot be read.
    """
    listing = path.with_name(CHECKSUMS)
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(str(listing), f"cannot be read ({error})", "copy the model's folder again") from error
    # Between digest and name stand a space and, for how the file was read, another space or an asterisk.
    return {name[1:]: digest for digest, _, name in (line.partition(" ") for line in lines)}.get(path.name)


def start_verifying(path: Path) -> Callable[[], None]:
    """Begin to hash a file beside other work, and give what waits for the outcome; a file that is not listed passes.

    Returns
    -------
    callable
        Waits for the digest. It raises ModelError where the file is not the one that was listed.
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
                f"is not the file that was released: {CHECKSUMS} beside it lists another SHA-256",
                "copy the model again, or install pneumo-infer again",
            )

    return wait


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
