"""The log of the node, on standard error: UIDs, AE titles and addresses, but never what a header or an answer says."""

from __future__ import annotations

import logging
import os
import threading
import traceback
import warnings

LOG = logging.getLogger("pneumo_infer.serve.dicom")
TIMED = "%(asctime)s %(levelname)s %(message)s"
UNTIMED = "%(levelname)s %(message)s"  # the journal of systemd has its own times
OTHERS = ("highdicom", "pydicom", "pynetdicom")


def start_logging() -> None:
    """Log to standard error, and silence other packages, whose messages quote names of patients."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(UNTIMED if os.environ.get("JOURNAL_STREAM") else TIMED))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    for name in OTHERS:
        other = logging.getLogger(name)
        other.addHandler(logging.NullHandler())
        other.propagate = False
    warnings.simplefilter("ignore")
    threading.excepthook = _log_end_of_thread


def describe(error: BaseException) -> str:
    """Describe an unexpected error by its type and place, without its message, which may quote the film."""
    place = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
    return type(error).__name__ + (f" at {place.filename}:{place.lineno}" if place else "")


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        LOG.error("a connection ended with an unexpected error: %s", describe(ended.exc_value))
