"""What can be wrong with the data, a recipe or a run folder."""

from __future__ import annotations

from pneumo_infer.errors import PneumoError


class DataError(PneumoError, ValueError):
    """The folders of films cannot be trained on."""


class RecipeError(PneumoError, ValueError):
    """A recipe has an unknown key or a value out of range."""


class RunError(PneumoError, ValueError):
    """A run folder cannot be made, resumed or exported."""
