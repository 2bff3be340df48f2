"""Read films in the same way whatever the host program has set for its whole process."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import numpy as np
from PIL import ImageFile, _imaging

LIBRARIES = r"(PIL|pydicom|imagecodecs)(\.|$)"

_lock = Lock()
_readers = 0
_filter: Any = None
_truncated_allowed = False
_print_libtiff_error: int | None = None


@contextmanager
def isolated() -> Iterator[None]:
    """Ignore, for the duration of the block, settings that would change how a film is read.

    - Pillow's `LOAD_TRUNCATED_IMAGES`, which fills the missing part of a film with grey, is off.
    - Warnings of Pillow and pydicom, which some programs turn into exceptions, are ignored. What matters is raised as
      an ImageError.
    - libtiff, which Pillow uses, prints no errors of damaged films to file descriptor 2. Pillow raises an exception for
      each. Redirecting the descriptor instead would lose what other threads print.
    - numpy's floating-point errors are ignored, as is its default for most of them.

    All but the last are settings of the process, so other threads see them as well until no film is being read.
    """
    _enter()
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _leave()


def _enter() -> None:
    global _readers, _filter, _truncated_allowed, _print_libtiff_error  # noqa: PLW0603
    with _lock:
        if _readers == 0:
            warnings.filterwarnings("ignore", module=LIBRARIES)
            _filter = warnings.filters[0]
            _truncated_allowed, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
            _print_libtiff_error = _set_libtiff_error_handler(None)
        _readers += 1


def _leave() -> None:
    global _readers  # noqa: PLW0603
    with _lock:
        _readers -= 1
        if _readers == 0:
            with suppress(ValueError):  # the host program has replaced all filters
                warnings.filters.remove(_filter)  # type: ignore[attr-defined]
            ImageFile.LOAD_TRUNCATED_IMAGES = _truncated_allowed
            _set_libtiff_error_handler(_print_libtiff_error)


def _find_libtiff_function() -> Callable[[int | None], int | None] | None:
    """Find `TIFFSetErrorHandler` in the libtiff that Pillow has loaded; None where it is built in, as on Windows."""
    try:
        function = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):
        return None
    function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
    return function


_libtiff_function = _find_libtiff_function()


def _set_libtiff_error_handler(handler: int | None) -> int | None:
    """Set the function that libtiff calls with each error, None for none, and return the previous one."""
    return None if _libtiff_function is None else _libtiff_function(handler)
