"""The entry point of pneumo-infer. It imports little, because an interrupt until then ends with a traceback."""

from __future__ import annotations

import atexit
import os
import signal
import sys

from pneumo_infer.cli.interrupts import end_at_once_if_interrupted, raise_if_interrupted

ENVIRONMENT_VARIABLES = ("PNEUMO_MODEL", "PNEUMO_DEVICE", "_PNEUMO_INFER_COMPLETE")


def main() -> None:
    """Run pneumo-infer.

    Exit code 0: all films were read; 1: some films are unreadable, or an overlay was not written; 2: usage error;
    130: interrupted. With --drift, 0: the films look like the model's validation films; 1: they do not; 3: too few.
    """
    end_at_once_if_interrupted("pneumo-infer")
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # by then all is written
    try:
        _run(sys.argv[1:])
    finally:
        raise_if_interrupted()


def _run(arguments: list[str]) -> None:
    if are_films_alone(arguments):  # importing typer takes longer than classifying a film
        from pneumo_infer.cli.command import Command

        sys.exit(Command(films=tuple(arguments)).run())
    from pneumo_infer.cli.options import app
    from pneumo_infer.cli.streams import exit_if_unwritable

    with exit_if_unwritable("pneumo-infer"):  # of typer's own output: help, version and usage errors
        app()


def are_films_alone(arguments: list[str]) -> bool:
    """Return whether the arguments are only films and no setting differs from its default."""
    options = [argument for argument in arguments if argument.startswith("-") and argument != "-"]
    return bool(arguments) and not options and not any(os.environ.get(name) for name in ENVIRONMENT_VARIABLES)
