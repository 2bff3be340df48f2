"""Installed size on disk: `pneumo-infer[cpu]` compared with TensorFlow.

    python -m benchmarks.size

Installs packages into fresh virtual environments, so it needs a package index and takes some minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.environments import OURS, fresh_environment
from benchmarks.record import Comparison, publish

HOW = "Size of all files in a fresh virtual environment after `pip install`, minus that of an empty environment."


def main(
    to: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Install both and publish the ratio."""
    empty = installed_megabytes()
    ours = installed_megabytes(OURS) - empty
    theirs = installed_megabytes("tensorflow") - empty
    compared = Comparison("installed size", "TensorFlow", ours, theirs, "MB", "peer / ours", ("at least", 8))
    publish("size", HOW, [compared], to)


def installed_megabytes(*requirements: str) -> float:
    """Return the size of a fresh virtual environment with the requirements installed."""
    with fresh_environment(*requirements) as folder:
        files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files) / 1e6


if __name__ == "__main__":
    typer.run(main)
