"""Freed memory is kept unless the environment configures malloc."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from pneumo_train.malloc_tuning import MALLOC_VARIABLES

BLOCKS = """
import resource
import numpy as np
from pneumo_train.malloc_tuning import keep_freed_memory
kept = keep_freed_memory()
def fill():
    np.ones(16 * 2**20)  # 128 MiB, more than malloc ever keeps by itself
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    fill()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def fill_blocks(**settings: str) -> tuple[bool, int]:
    """Fill and free a large block over and over; whether freed memory is kept, and pages that the kernel cleared."""
    environment = {name: value for name, value in os.environ.items() if name not in MALLOC_VARIABLES} | settings
    run = subprocess.run([sys.executable, "-c", BLOCKS], env=environment, check=True, capture_output=True, text=True)
    kept, faults = run.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_the_kernel_clears_pages_once() -> None:
    kept, faults = fill_blocks()
    assert kept
    kept, cleared_again = fill_blocks(MALLOC_TRIM_THRESHOLD_="131072")
    assert not kept, "the environment takes precedence"
    assert faults < 0.1 * cleared_again
