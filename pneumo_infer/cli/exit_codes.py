"""Turn errors and interrupts into messages and exit codes, for all commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pneumo_infer.cli.interrupts import INTERRUPTED
from pneumo_infer.cli.streams import print_stderr
from pneumo_infer.errors import PneumoError


@contextmanager
def exit_codes(program: str, on_interrupt: Callable[[], str] = lambda: "nothing was written") -> Iterator[None]:
    """Exit with the code of a PneumoError, or with 130 after an interrupt, and print why to standard error.

    Parameters
    ----------
    program
        Name of the command, in front of each message.
    on_interrupt
        Returns what an interrupt leaves behind, or how to resume. SystemExit, which a signal handler may raise, counts
        as an interrupt.
    """
    try:
        _require_working_directory()
        yield
    except PneumoError as error:
        print_stderr(program, error)
        raise SystemExit(error.exit_code) from None
    except (KeyboardInterrupt, SystemExit) as stop:
        print_stderr(program, f"interrupted; {on_interrupt()}", before="\n")
        raise SystemExit(INTERRUPTED if isinstance(stop, KeyboardInterrupt) else stop.code) from None


def _require_working_directory() -> None:
    try:
        Path.cwd()
    except OSError:
        raise PneumoError("the working directory", "no longer exists", "change to another folder") from None
