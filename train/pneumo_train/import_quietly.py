"""Import TensorFlow without its start-up messages."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def import_quietly() -> Iterator[None]:
    """Capture what native code writes to stderr while TensorFlow is imported; print it only if the import fails.

    TensorFlow logs a few lines before its log level takes effect (tensorflow issue 100442), so
    `TF_CPP_MIN_LOG_LEVEL` alone does not silence them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except ModuleNotFoundError:  # its message is enough
            raise
        except BaseException:
            captured.seek(0)
            os.write(stderr, captured.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
