"""One page of all that the benchmarks found.

    python -m benchmarks.report

Reads `benchmarks/results/*.json`, which the benchmarks write, and writes `benchmarks/RESULTS.md`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.record import HEADER, RESULTS, Comparison
from pneumo_infer.atomic_write import atomic_write

INTRODUCTION = """# Benchmarks

Made by `python -m benchmarks.report` from what the benchmarks wrote. Every ratio is of figures of one run, in which
ours and the peer took turns; a figure by itself depends on the machine and on what else it did.
"""


def main(
    results: Annotated[Path, typer.Argument(help="Folder of the JSON files.")] = RESULTS,
    to: Annotated[Path, typer.Option(help="The page.")] = RESULTS.parent / "RESULTS.md",
) -> None:
    """Write the page."""
    sections = [_section(file) for file in sorted(results.glob("*.json"))]
    with atomic_write(to) as page:
        page.write("\n".join([INTRODUCTION, *sections]))


def _section(file: Path) -> str:
    content = json.loads(file.read_text(encoding="utf-8"))
    comparisons = [
        Comparison(**{**row, "bound": row["bound"] and tuple(row["bound"])}) for row in content["comparisons"]
    ]
    lines = [
        f"## {file.stem}",
        "",
        content["how"],
        "",
        *(f"- {name}: {value}" for name, value in content["machine"].items()),
        "",
        f"| {' | '.join(HEADER)} |",
        "|---" * len(HEADER) + "|",
        *(f"| {' | '.join(comparison.cells())} |" for comparison in comparisons),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
