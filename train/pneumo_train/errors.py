"""Errors about data sets, recipes and run folders."""

from __future__ import annotations

from pneumo_infer.errors import PneumoError


def first_line(error: Exception) -> str:
    """Return the first line of an error of another package, or the name of its class if it has no message."""
    return str(error).partition("\n")[0] or type(error).__name__


class DataError(PneumoError, ValueError):
    """A data set cannot be used."""


class RecipeError(PneumoError, ValueError):
    """A recipe cannot be read, or has an unknown key or an invalid value."""


class RunError(PneumoError, ValueError):
    """A run folder cannot be created, resumed or exported."""
