"""The entry point of pneumo-infer. It imports little, see `pneumo_infer.cli.start`."""

from __future__ import annotations

import os
import sys

from pneumo_infer.cli.start import run_program

ENVIRONMENT_VARIABLES = ("PNEUMO_MODEL", "PNEUMO_DEVICE", "_PNEUMO_INFER_COMPLETE")


def main() -> None:
    """Run pneumo-infer.

    Exit code 0: all films were read; 1: some films are unreadable, or an overlay was not written; 2: usage error;
    130: interrupted. With --drift, 0: the films look like the model's validation films; 1: they do not; 3: too few.
    """
    run_program("pneumo-infer", _run)


def _run() -> None:
    arguments = sys.argv[1:]
    if are_films_alone(arguments):  # importing typer takes longer than classifying a film
        from pneumo_infer.cli.command import Command

        sys.exit(Command(films=tuple(arguments)).run())
    from pneumo_infer.cli.streams import standard_streams

    with standard_streams("pneumo-infer"):
        from pneumo_infer.cli.options import app

        app()


def are_films_alone(arguments: list[str]) -> bool:
    """Return whether the arguments are only films and no setting differs from its default."""
    options = [argument for argument in arguments if argument.startswith("-") and argument != "-"]
    return bool(arguments) and not options and not any(os.environ.get(name) for name in ENVIRONMENT_VARIABLES)
