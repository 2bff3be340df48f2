"""Turn errors and interrupts into messages and exit codes, for all commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pneumo_infer.cli.start import INTERRUPTED
from pneumo_infer.cli.streams import discard, print_stderr
from pneumo_infer.errors import PneumoError


@contextmanager
def exit_codes(program: str, on_interrupt: Callable[[], str] = lambda: "nothing was written") -> Iterator[None]:
    """Exit with the code of a PneumoError, 2 after an OSError, or 130 after an interrupt; print why to standard error.

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
    except BrokenPipeError:  # the reading process, such as `head`, has closed the pipe
        discard(sys.stdout)
        raise SystemExit(0) from None
    except OSError as error:
        remedy = "check the path, its permissions and the free space"
        print_stderr(program, PneumoError(str(error.filename or "a file"), error.strerror or str(error), remedy))
        raise SystemExit(PneumoError.exit_code) from None
    except (KeyboardInterrupt, SystemExit) as stop:
        print_stderr(program, f"interrupted; {on_interrupt()}", before="\n")
        raise SystemExit(INTERRUPTED if isinstance(stop, KeyboardInterrupt) else stop.code) from None


def _require_working_directory() -> None:
    try:
        Path.cwd()
    except OSError:
        raise PneumoError("the working directory", "no longer exists", "change to another folder") from None
