"""Errors about data sets, recipes and run folders."""

from __future__ import annotations

from pneumo_infer.errors import PneumoError


class DataError(PneumoError, ValueError):
    """A data set cannot be used."""


class RecipeError(PneumoError, ValueError):
    """A recipe cannot be read, or has an unknown key or an invalid value."""


class RunError(PneumoError, ValueError):
    """A run folder cannot be created, resumed or exported."""
