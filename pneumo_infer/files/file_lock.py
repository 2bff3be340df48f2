"""Lock files against other processes. A lock ends with its process, even if that is killed."""

from __future__ import annotations

import errno
import os


def try_lock(descriptor: int) -> bool:
    """Lock an open file exclusively, without waiting.

    Returns
    -------
    bool
        Whether it is locked now; False if another process, or another descriptor of this one, has locked it.

    Raises
    ------
    OSError
        The operating system or the file system has no such locks.
    """
    try:
        import fcntl
    except ImportError:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_if_supported(descriptor: int) -> bool:
    """Like `try_lock`, but return True where files cannot be locked."""
    try:
        return try_lock(descriptor)
    except OSError:
        return True
