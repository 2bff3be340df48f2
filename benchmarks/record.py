"""Publish the results of a benchmark as a table and as JSON for `python -m benchmarks.report`."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rich.console import Console
from rich.table import Table

from pneumo_infer.cpu_count import cpu_count
from pneumo_infer.files.atomic_write import write_json

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("pneumo-infer", "onnxruntime", "numpy", "pillow", "openvino", "tensorflow", "keras", "torch")
# The instruction sets that the speed of int8 depends on.
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")


RatioOf: TypeAlias = Literal["ours / peer", "peer / ours"]
Bound: TypeAlias = tuple[Literal["at most", "at least"], float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of this package and that of a peer, measured in the same run.

    Attributes
    ----------
    what
        What was measured.
    ours, theirs
        Medians, in `unit`.
    unit
        Such as `ms`, `MiB` or `films/s`.
    ratio_of
        Definition of the ratio: `ours / peer` or `peer / ours`.
    bound
        Target for the ratio: (`at most` or `at least`, value), or None without a target.
    """

    what: str
    peer: str
    ours: float
    theirs: float
    unit: str
    ratio_of: RatioOf
    bound: Bound | None = None

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs if self.ratio_of == "ours / peer" else self.theirs / self.ours

    @property
    def reached(self) -> bool | None:
        if self.bound is None:
            return None
        direction, value = self.bound
        return self.ratio <= value if direction == "at most" else self.ratio >= value

    def cells(self) -> list[str]:
        """Return the cells of a table row, in the order of `HEADER`."""
        target = "" if self.bound is None else f"{self.bound[0]} {self.bound[1]:g}"
        outcome = {None: "", True: "reached", False: "not reached"}[self.reached]
        figures = [f"{self.ours:.4g} {self.unit}", f"{self.theirs:.4g} {self.unit}"]
        return [self.what, self.peer, *figures, f"{self.ratio:.4g}", self.ratio_of, target, outcome]


HEADER = ["measurement", "peer", "ours", "peer's", "ratio", "defined as", "target", ""]


def machine() -> dict[str, str]:
    """Return the facts about the machine and packages on which figures depend."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "processor": facts.get("model name", platform.machine()),
        "instructions": ", ".join(name for name in INSTRUCTIONS if name in flags) or "none",
        "processors": str(cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {found}" for name in PACKAGES if (found := _version(name))),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def publish(name: str, how: str, comparisons: list[Comparison], to: Path | None = None) -> None:
    """Print a benchmark's comparisons and write them to a JSON file.

    Parameters
    ----------
    how
        How it was measured, in one or two sentences.
    to
        The file to write; None means `results/NAME.json`.
    """
    facts = machine()
    console = Console(width=None)
    console.print("; ".join(f"{key}: {value}" for key, value in facts.items()), highlight=False)
    table = Table(*HEADER)
    for comparison in comparisons:
        table.add_row(*comparison.cells())
    console.print(table)
    content: dict[str, Any] = {
        "how": how,
        "machine": facts,
        "comparisons": [asdict(comparison) for comparison in comparisons],
    }
    file = to or RESULTS / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    write_json(file, content)
