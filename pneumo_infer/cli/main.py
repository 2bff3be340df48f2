"""pneumo-infer: the entry point of the command line."""

from __future__ import annotations

import os
import sys

from pneumo_infer.cli.command import Command

ENVIRONMENT_VARIABLES = ("PNEUMO_MODEL", "PNEUMO_DEVICE", "_PNEUMO_INFER_COMPLETE")


def main() -> None:
    """Run pneumo-infer.

    Exit 0 if all films were read, 1 if some were not, 2 if it was called wrongly, 130 if it was interrupted. With
    --drift, 0 if the films are like those that the model was measured on, 1 if they are not, 3 if they are too few.
    """
    arguments = sys.argv[1:]
    if are_films_alone(arguments):  # typer takes longer to import than a film to read
        sys.exit(Command(films=tuple(arguments)).run())
    from pneumo_infer.cli.options import app

    app()


def are_films_alone(arguments: list[str]) -> bool:
    """Whether nothing is asked for but to read films with the defaults."""
    options = [argument for argument in arguments if argument.startswith("-") and argument != "-"]
    return bool(arguments) and not options and not any(os.environ.get(name) for name in ENVIRONMENT_VARIABLES)
