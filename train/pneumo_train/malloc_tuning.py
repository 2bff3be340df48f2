"""Keep freed memory in the process, so that the next batch can reuse it."""

from __future__ import annotations

import ctypes
import os
import platform

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
HEAP_GROWTH = 256 * 2**20  # bytes
# Variables with which users configure malloc themselves.
MALLOC_VARIABLES = (
    "GLIBC_TUNABLES",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
)


def keep_freed_memory() -> bool:
    """Make glibc keep freed memory until the process ends, and return whether it does.

    TensorFlow allocates the result of every operation, and glibc returns large blocks to the kernel as soon as they are
    freed (mallopt(3), M_MMAP_THRESHOLD). The kernel then clears the same gigabytes again in each batch, which can take
    as long as the network itself (`python -m benchmarks.kept_memory`). This function does nothing with another C
    library, or if the environment already configures malloc.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in MALLOC_VARIABLES):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # Allocate every block on the heap, and let the heap grow in large steps and never shrink.
    return all(mallopt(*setting) for setting in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, HEAP_GROWTH)))
