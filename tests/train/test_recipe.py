"""Recipes: what is read, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pneumo_train.errors import RecipeError
from pneumo_train.recipe import parse_recipe, recipe_text

BUILTIN = recipe_text("finetune")


def test_the_builtin_recipe_has_two_phases() -> None:
    recipe = parse_recipe(BUILTIN, "finetune")
    assert recipe.phases[0].train == "head"
    assert recipe.phases[1].learning_rate < recipe.phases[0].learning_rate


def test_a_path_is_a_recipe_too(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(BUILTIN)
    assert recipe_text(str(tmp_path / "own.toml")) == BUILTIN


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("batch_size = 16", "batch_size = 0"), r"fit\.batch_size: .*greater than or equal to 1"),
        (("batch_size = 16", "batch_sise = 16"), r"fit\.batch_sise: Extra inputs"),
        (("flip = true\n", ""), r"augment\.flip: Field required"),
        (('train = "head"', 'train = "tail"'), r"phases\.0\.train"),
        (("validation = 0.10", "validation = 0.7"), r"split\.validation"),
        (("[split]", "[split"), "is no TOML"),
    ],
)
def test_errors_name_the_key(change: tuple[str, str], problem: str) -> None:
    text = BUILTIN.replace(*change)
    assert text != BUILTIN
    with pytest.raises(RecipeError, match=problem):
        parse_recipe(text, "own.toml")


def test_an_unknown_recipe_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="choose one of finetune, or a TOML file"):
        recipe_text(str(tmp_path / "nothing"))
