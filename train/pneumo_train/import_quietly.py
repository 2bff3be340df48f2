"""TensorFlow without its start-up chatter."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def import_quietly() -> Iterator[None]:
    """Keep back what native code prints to stderr while TensorFlow is imported; show it if the import fails.

    TensorFlow logs a few lines before its own log level is in force (tensorflow issue 100442), so that
    `TF_CPP_MIN_LOG_LEVEL` alone does not silence them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except ModuleNotFoundError:  # says all there is to say by itself
            raise
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
