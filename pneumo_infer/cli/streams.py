"""Standard input, output and error, which may be closed, full, or limited to ASCII."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from pneumo_infer.errors import PneumoError
from pneumo_infer.printable import printable


def prepare_streams(*, for_csv: bool = False) -> None:
    """Prepare the standard streams, so that any text can be written to them.

    - Numbers of closed streams are taken, so that no file that is opened later gets what belongs to a stream.
    - Characters that standard output cannot encode are escaped. CSV is UTF-8 and holds file names byte for byte, as it
      does in files.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123  # until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        if for_csv:
            sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="")
        else:
            sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def open_standard_output() -> Iterator[TextIO]:
    """Yield standard output, and write what it has buffered at the end of the block.

    Raises
    ------
    PneumoError
        It is closed, or cannot be written.
    BrokenPipeError
        The program that reads it has ended.
    """
    out = sys.stdout
    if out is None:
        raise PneumoError("standard output", "is closed", "use --output, or redirect it to a file")
    try:
        yield out
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard(out)
        raise PneumoError(
            "standard output", f"cannot be written ({error.strerror})", "make room, or use --output"
        ) from error


def echo(text: str) -> None:
    """Print a result to standard output; characters that do not print are escaped.

    Raises
    ------
    PneumoError
        Standard output is closed or full.
    """
    with open_standard_output() as out:
        print(printable(text), file=out)


def print_stderr(program: str, message: object, *, before: str = "") -> None:
    """Print a line to standard error, after the name of the program; characters that do not print are escaped.

    If standard error cannot be written the message is lost.
    """
    try:
        print(f"{before}{program}: {printable(str(message))}", file=sys.stderr)
    except OSError:
        discard(sys.stderr)


@contextmanager
def standard_streams(program: str) -> Iterator[None]:
    """Prepare the standard streams, and exit with code 2 and a message if one cannot be written in the block."""
    prepare_streams()
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        print_stderr(program, f"standard output or error cannot be written ({error.strerror}); redirect it elsewhere")
        for stream in filter(None, (sys.stdout, sys.stderr)):
            discard(stream)
        raise SystemExit(2) from None


def discard(stream: TextIO) -> None:
    """Send what a stream has buffered, and all that follows, nowhere. Python would fail to write it as it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
