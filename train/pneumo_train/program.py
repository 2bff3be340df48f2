"""What the programs pneumo-train and pneumo-export have in common: how they start, and how they print results."""

from __future__ import annotations

import atexit
import signal
from collections.abc import Callable

from pneumo_infer.cli.interrupts import end_at_once_if_interrupted, raise_if_interrupted
from pneumo_infer.cli.streams import exit_if_unwritable, open_standard_output, prepare_streams
from pneumo_infer.printable import printable


def run_program(name: str, load: Callable[[], Callable[[], object]]) -> None:
    """Run a program, whatever its standard streams are. Until `begin_work`, an interrupt ends it at once.

    Parameters
    ----------
    load
        Imports what the program needs to read its arguments, and returns the program.
    """
    end_at_once_if_interrupted(name)
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # by then all is written
    prepare_streams()
    try:
        with exit_if_unwritable(name):
            load()()
    finally:
        raise_if_interrupted()


def begin_work() -> None:
    """From now on, an interrupt raises KeyboardInterrupt. To be called after the imports, before files are written."""
    raise_if_interrupted()


def echo(text: str) -> None:
    """Print a result to standard output; characters that do not print are escaped.

    Raises
    ------
    PneumoError
        Standard output is closed or full.
    """
    with open_standard_output() as out:
        print(printable(text), file=out)
