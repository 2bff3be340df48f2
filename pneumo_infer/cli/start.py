"""How the three programs start.

Until `run_program` is called, Python answers an interrupt (Ctrl-C) with a traceback. What is imported by then is
therefore no more than this module and the entry point, and neither imports `typing`.
"""

from __future__ import annotations

import atexit
import os
import signal

TYPE_CHECKING = False  # as type checkers understand it
if TYPE_CHECKING:
    from collections.abc import Callable

INTERRUPTED = 130  # as shells do


class EndAtOnce:
    """A signal handler for the time in which nothing is written: it ends the process.

    A KeyboardInterrupt would be lost, or become another error, in some of the modules that are imported meanwhile.
    """

    def __init__(self, program: str) -> None:
        self._message = f"\n{program}: interrupted; nothing was written\n".encode()

    def __call__(self, _number: int, _frame: object) -> None:
        try:
            os.write(2, self._message)
        finally:
            os._exit(INTERRUPTED)


def run_program(program: str, run: Callable[[], object]) -> None:
    """Run a program. Until `raise_if_interrupted` is called, an interrupt ends it at once.

    Parameters
    ----------
    program
        Name of the command, for messages.
    run
        Imports what the program needs, and does its work.
    """
    end_at_once_if_interrupted(program)
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # by then all is written
    try:
        run()
    finally:
        raise_if_interrupted()


def end_at_once_if_interrupted(program: str) -> None:
    """End the process at an interrupt, unless interrupts are ignored, as in the background of a shell."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, EndAtOnce(program))


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt at an interrupt again. To be called after the imports, before files are written."""
    if isinstance(signal.getsignal(signal.SIGINT), EndAtOnce):
        signal.signal(signal.SIGINT, signal.default_int_handler)
