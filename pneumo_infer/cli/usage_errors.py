"""Usage errors that quote what was typed without letting it control the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from pneumo_infer.printable import printable

# The base class of all usage errors, which typer does not export.
UsageError: Any = typer.BadParameter.__base__


class PrintableErrors(TyperCommand):
    """A command whose usage errors escape characters that do not print. A shell may expand `*` to any file name."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _printable():
            return super().make_context(*args, **kwargs)


class PrintableGroup(TyperGroup):
    """A program whose usage errors, and those of its commands, escape characters that do not print."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _printable():
            return super().make_context(*args, **kwargs)

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        with _printable():  # of the commands
            return super().invoke(*args, **kwargs)


@contextmanager
def _printable() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        error.message = printable(error.message)
        raise
