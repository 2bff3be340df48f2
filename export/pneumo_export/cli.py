"""The entry point of pneumo-export. It imports little, because an interrupt until then ends with a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from pneumo_train.program import run_program


def main() -> None:
    """Run pneumo-export.

    Exit code 0: the files passed the parity check; 1: a file failed it or breaks the contract; 2: usage error, or the
    model or films cannot be used; 130 or 143: interrupted.
    """
    # SystemExit removes temporary files on the way out, as KeyboardInterrupt does after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    run_program("pneumo-export", _load)


def _load() -> Callable[[], object]:
    from pneumo_export.commands import app

    return app
