"""Affinity and container quotas."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pneumo_infer.cpu_count import cpu_count

ALLOWED = len(os.sched_getaffinity(0))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_without_control_groups_affinity_counts(tmp_path: Path) -> None:
    assert cpu_count(tmp_path) == ALLOWED


def test_affinity_counts() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cpu_count() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("limit", "processors"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", ALLOWED), ("", ALLOWED)]
)
def test_version_2(tmp_path: Path, limit: str, processors: int) -> None:
    root = write(tmp_path, {"proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/cpu.max": f"{limit}\n"})
    assert cpu_count(root) == processors


def test_the_groups_above_count_too(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/slice/app\n",
        "sys/fs/cgroup/slice/app/cpu.max": "max 100000\n",
        "sys/fs/cgroup/slice/cpu.max": "100000 100000\n",
    }
    assert cpu_count(write(tmp_path, files)) == 1


@pytest.mark.parametrize(("quota", "processors"), [("100000", 1), ("150000", min(2, ALLOWED)), ("-1", ALLOWED)])
def test_version_1_inside_a_container(tmp_path: Path, quota: str, processors: int) -> None:
    files = {
        "proc/self/cgroup": "3:cpu,cpuacct:/docker/0123\n2:memory:/docker/0123\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": f"{quota}\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert cpu_count(write(tmp_path, files)) == processors
