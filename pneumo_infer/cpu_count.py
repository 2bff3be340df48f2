"""Count the CPUs available to this process, from its affinity and its container's quota."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def cpu_count(root: Path = Path("/")) -> int:
    """Count the CPUs available to this process, at least 1.

    The count is the smallest of the CPU affinity and the quotas, rounded up, of the control groups (version 1 and 2)
    that the process belongs to (Linux kernel documentation, "Control Group v2", cpu.max, and "CFS Bandwidth Control").

    Parameters
    ----------
    root
        The folder that contains `proc` and `sys`.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota, in CPUs, of each control group from the process's own up to the root."""
    mount = root / "sys" / "fs" / "cgroup"
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            for group in _up_to(mount, path):
                yield from _quota(*_read(group / "cpu.max").split()[:2])
        elif "cpu" in controllers.split(","):
            for group in _up_to(mount / "cpu", path):
                yield from _quota(_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))


def _up_to(top: Path, path: str) -> Iterator[Path]:
    # In a container the path often does not exist, because the container's own group is mounted at the top.
    group = top / path.strip("/")
    while group != top:
        yield group
        group = group.parent
    yield top


def _quota(quota: str = "", period: str = "") -> Iterator[float]:
    if quota.strip().isdigit() and period.strip().isdigit():  # otherwise it is `max`, -1, or the file is missing
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
