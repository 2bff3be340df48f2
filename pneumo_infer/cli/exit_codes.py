"""Turn errors and interrupts into messages and exit codes, for all commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pneumo_infer.errors import PneumoError

INTERRUPTED = 130  # as shells do after Ctrl-C


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
        yield
    except PneumoError as error:
        print(f"{program}: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except (KeyboardInterrupt, SystemExit) as stop:
        print(f"\n{program}: interrupted; {on_interrupt()}", file=sys.stderr)
        raise SystemExit(INTERRUPTED if isinstance(stop, KeyboardInterrupt) else stop.code) from None
