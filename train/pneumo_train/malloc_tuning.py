"""Memory that a batch frees is kept for the next one."""

from __future__ import annotations

import ctypes
import os
import platform

# The numbers of malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
GROWN_AT_ONCE = 256 * 2**20  # bytes
USERS_OWN = (
    "GLIBC_TUNABLES",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
)


def keep_freed_memory() -> bool:
    """Have glibc keep what the process frees, to its end, and tell whether it does.

    TensorFlow allocates what each operation gives, and glibc hands large blocks back to the kernel as soon as they are
    free (mallopt(3), M_MMAP_THRESHOLD): in each batch the kernel clears the same gigabytes anew, which can take as long
    as the network itself (`python -m benchmarks.kept_memory`). Nothing is done under another C library, nor where the
    environment says how malloc is to work.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in USERS_OWN):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # No block has a mapping of its own; the heap grows in large steps and never shrinks.
    return all(mallopt(*setting) for setting in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, GROWN_AT_ONCE)))
