"""Read recipes: built-in ones by name, others from TOML files, with values from the command line."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pneumo_train.errors import RecipeError
from pneumo_train.recipe import Recipe
from pneumo_train.side_files import SideFile, describe_problems


def builtin_recipes() -> dict[str, Recipe]:
    """Read all built-in recipes, by name."""
    return {name: read_recipe(name) for name in _builtin_names()}


def _builtin_names() -> list[str]:
    return sorted(e.name.removesuffix(".toml") for e in _builtin_folder().iterdir() if e.name.endswith(".toml"))


def _builtin_folder() -> Traversable:
    return resources.files("pneumo_train") / "recipes"


def read_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe, and override some of its values.

    Parameters
    ----------
    name
        Name of a built-in recipe, or path of a TOML file.
    settings
        `KEY=VALUE` strings, as in `fit.epochs=3`. The key names a phase by its number, counted from 0, or by its name.
        The value is a TOML value or a bare word.

    Raises
    ------
    RecipeError
        The recipe does not exist, is not valid TOML, or has an unknown key, a missing key or an invalid value. The
        message names the key.
    """
    values = _recipe_values(name)
    for setting in settings:
        _override(values, setting)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(name, describe_problems(error.errors()), "correct these values") from error


def _recipe_values(name: str) -> dict[str, Any]:
    known = _builtin_names()
    if name in known:
        return tomllib.loads((_builtin_folder() / f"{name}.toml").read_text(encoding="utf-8"))
    path = Path(name)
    if not os.path.lexists(path):
        remedy = f"choose one of {', '.join(known)}, or give the path of a TOML file"
        raise RecipeError(name, "not a recipe", remedy)
    return SideFile(path, "correct the file", RecipeError).toml()


def _override(values: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    *path, last = key.split(".")
    if not equals or not last:
        raise RecipeError(setting, "not a setting", "write it as KEY=VALUE, for example fit.epochs=3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    node: Any = values
    for part in path:
        node = _child(node, part, setting)
    if not isinstance(node, dict):
        problem = f"{'.'.join(path)} has no key {last!r}"
        raise RecipeError(setting, problem, "use a key of the recipe, for example fit.epochs or phases.0.epochs")
    node[last] = value


def _child(node: Any, part: str, setting: str) -> Any:
    if isinstance(node, list):
        named = {str(entry.get("name")): entry for entry in node if isinstance(entry, dict)}
        phases = named | {str(index): entry for index, entry in enumerate(node)}
        if part in phases:
            return phases[part]
        raise RecipeError(setting, f"unknown phase {part!r}", f"choose from {', '.join(phases)}")
    if isinstance(node, dict):
        return node.setdefault(part, {})
    raise RecipeError(setting, f"unknown key {part!r}", "use a key of the recipe, for example fit.epochs")
