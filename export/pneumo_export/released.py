"""Copy the digests of released models into the package.

An export to `models/` of a clone does this by itself. After models came there in another way:

    python -m pneumo_export.released
"""

from __future__ import annotations

from pathlib import Path

from pneumo_infer.files.atomic_write import atomic_write
from pneumo_infer.model.checksum import CHECKSUMS, RELEASED

PACKAGE = RELEASED.parents[1]


def record_digests(output: Path, package: Path = PACKAGE) -> bool:
    """Copy `SHA256SUMS` into a package if its models are in the folder that was written.

    Parameters
    ----------
    output
        A folder with models and `SHA256SUMS`.
    package
        The folder `pneumo_infer`. In a clone, its models are in `models/` next to it.

    Returns
    -------
    bool
        Whether they are, and the digests were copied.
    """
    if output.resolve() != package.resolve().with_name("models"):
        return False
    with atomic_write(package / RELEASED.relative_to(PACKAGE)) as released:
        released.write((output / CHECKSUMS).read_text(encoding="utf-8"))
    return True


if __name__ == "__main__":
    record_digests(PACKAGE.with_name("models"))
