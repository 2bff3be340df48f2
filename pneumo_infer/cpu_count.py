"""How many processors this process may use: its affinity, and what its container grants."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def cpu_count(root: Path = Path("/")) -> int:
    """Count the processors that this process may keep busy, at least 1.

    That is the smaller of its affinity and, rounded up, the quotas of the control groups that it is in, version 1 and 2
    (Linux kernel documentation, "Control Group v2", cpu.max, and "CFS Bandwidth Control").

    Parameters
    ----------
    root
        Where `proc` and `sys` are found.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Processors granted by each control group from the process's own up to the root of its hierarchy."""
    mounted = root / "sys" / "fs" / "cgroup"
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            for group in _up_to(mounted, path):
                yield from _quota(*_read(group / "cpu.max").split()[:2])
        elif "cpu" in controllers.split(","):
            for group in _up_to(mounted / "cpu", path):
                yield from _quota(_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))


def _up_to(top: Path, path: str) -> Iterator[Path]:
    # Inside a container the group's own path often does not exist, since the container sees its group as the top.
    group = top / path.strip("/")
    while group != top:
        yield group
        group = group.parent
    yield top


def _quota(quota: str = "", period: str = "") -> Iterator[float]:
    if quota.strip().isdigit() and period.strip().isdigit():  # else `max`, -1, or no such file
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
