"""The entry point of pneumo-export. It imports little, see `pneumo_infer.cli.start`."""

from __future__ import annotations

import signal
import sys

from pneumo_infer.cli.start import run_program


def main() -> None:
    """Run pneumo-export.

    Exit code 0: the files passed the parity check; 1: a file failed it or breaks the contract; 2: usage error, or the
    model or films cannot be used; 130 or 143: interrupted.
    """
    run_program("pneumo-export", _run)


def _run() -> None:
    # SystemExit removes temporary files on the way out, as KeyboardInterrupt does after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    from pneumo_infer.cli.streams import standard_streams

    with standard_streams("pneumo-export"):
        from pneumo_export.commands import app

        app()
