"""What an installation takes on disk: `pneumo-infer[cpu]` beside TensorFlow.

    python -m benchmarks.size

Makes two fresh virtual environments and installs into them, so it needs a package index and takes some minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.environments import OURS, fresh_environment
from benchmarks.record import Comparison, publish

HOW = "Bytes of all files in a fresh virtual environment after `pip install`, less those of an empty one."


def main(
    to: Annotated[Path | None, typer.Option(help="Where the figures go, as JSON.")] = None,
) -> None:
    """Install both and publish the ratio."""
    empty = installed_megabytes()
    ours = installed_megabytes(OURS) - empty
    theirs = installed_megabytes("tensorflow") - empty
    compared = Comparison("installed size", "TensorFlow", ours, theirs, "MB", "peer / ours", ("at least", 8))
    publish("size", HOW, [compared], to)


def installed_megabytes(*requirements: str) -> float:
    """The size of a fresh virtual environment with these installed."""
    with fresh_environment(*requirements) as folder:
        files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files) / 1e6


if __name__ == "__main__":
    typer.run(main)
