"""Read films in the same way whatever the host program has set for its whole process."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import numpy as np
from PIL import ImageFile

LIBRARIES = r"(PIL|pydicom|imagecodecs)(\.|$)"

_lock = Lock()
_readers = 0
_filter: Any = None
_truncated_allowed = False


@contextmanager
def isolated() -> Iterator[None]:
    """Ignore, for the duration of the block, settings that would change how a film is read.

    - Pillow's `LOAD_TRUNCATED_IMAGES`, which fills the missing part of a film with grey, is off.
    - Warnings of Pillow and pydicom, which some programs turn into exceptions, are ignored. What matters is raised as
      an ImageError.
    - numpy's floating-point errors are ignored, as is its default for most of them.

    The first two are settings of the process, so other threads see them as well until no film is being read.
    """
    _enter()
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _leave()


def _enter() -> None:
    global _readers, _filter, _truncated_allowed  # noqa: PLW0603
    with _lock:
        if _readers == 0:
            warnings.filterwarnings("ignore", module=LIBRARIES)
            _filter = warnings.filters[0]
            _truncated_allowed, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        _readers += 1


def _leave() -> None:
    global _readers  # noqa: PLW0603
    with _lock:
        _readers -= 1
        if _readers == 0:
            with suppress(ValueError):  # the host program has replaced all filters
                warnings.filters.remove(_filter)  # type: ignore[attr-defined]
            ImageFile.LOAD_TRUNCATED_IMAGES = _truncated_allowed
