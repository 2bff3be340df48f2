"""Recipes are read and validated, and errors name the key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pneumo_train.errors import RecipeError
from pneumo_train.recipe_files import builtin_recipes, read_recipe

OWN = """
summary = "a recipe of one's own"
[split]
seed = 1
validation = 0.1
test = 0.1
[network]
backbone = "resnet50"
scaling = "imagenet"
[fit]
batch_size = 16
class_balance = "weights"
[[phases]]
name = "head"
train = "head"
batch_normalisation = "frozen"
epochs = 4
learning_rate = 1e-3
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return path


def test_the_published_recipes_are_there() -> None:
    assert list(builtin_recipes()) == ["finetune", "finetune40", "frozen", "mobilenet", "scratch", "twophase"]
    splits = {(recipe.split.seed, recipe.split.test) for recipe in builtin_recipes().values()}
    assert len(splits) == 1  # all are measured on the same films


def test_a_recipe_survives_being_written_out(tmp_path: Path) -> None:
    for name, recipe in builtin_recipes().items():
        (tmp_path / name).write_text(recipe.to_toml())
        assert read_recipe(str(tmp_path / name)) == recipe


def test_settings_override_values(own: Path) -> None:
    recipe = read_recipe(
        str(own), ["fit.epochs=3", "phases.0.learning_rate=1e-4", "phases.head.image_size=128", "network.weights=none"]
    )
    assert recipe.planned_phases()[0].epochs == 3
    assert recipe.phases[0].epochs == 4
    assert recipe.phases[0].learning_rate == 1e-4
    assert recipe.phases[0].image_size == 128
    assert recipe.network.weights == "none"
    assert read_recipe(str(own), ["augment.flip=true"]).augment.flip


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("fit.epochs", "not a setting; write it as KEY=VALUE"),
        ("fit.epoch=3", r"fit\.epoch: unknown key"),
        ("fit.epochs=0", r"fit\.epochs: .*greater than or equal to 1"),
        ("phases.tail.epochs=3", "unknown phase 'tail'; choose from head, 0"),
        ("phases=3", "phases: Input should be a valid"),
        ("phases=[]", r"own\.toml: needs at least one phase; "),
        ("fit.batch_size.x=3", r"fit\.batch_size has no key 'x'"),
    ],
)
def test_settings_that_cannot_be_used(own: Path, setting: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        read_recipe(str(own), [setting])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("batch_size = 16", "batch_size = 0"), r"fit\.batch_size: .*greater than or equal to 1"),
        (("batch_size = 16", "batch_sise = 16"), r"fit\.batch_sise: unknown key"),
        (("seed = 1\n", ""), r"split\.seed: Field required"),
        (('train = "head"', 'train = "tail"'), r"phases\.0\.train"),
        (("validation = 0.1", "validation = 0.7"), r"split\.validation"),
        (("[split]", "[split"), "not a valid TOML file"),
        (('"resnet50"', '"resnet51"'), r"network\.backbone: no such backbone; use one of resnet50, "),
        (
            ('"resnet50"', '"densenet121"\noutput_stride = 16'),
            r"network: output_stride 16 does not work with densenet121; use 32, or one of resnet50, ",
        ),
        (('name = "head"', 'name = "../head"'), r"phases\.0\.name: .*match pattern"),
        (("[[phases]]", OWN[OWN.index("[[phases]]") :] + "[[phases]]"), r"own\.toml: several phases are named 'head'"),
        (
            ("epochs = 4", "epochs = 4\nmixed_share = 0.0"),
            r"own\.toml: phases\.0\.mixed_share: unknown key; ",
        ),  # 0.1 wrote it
    ],
)
def test_errors_name_the_key(own: Path, change: tuple[str, str], problem: str) -> None:
    text = OWN.replace(*change)
    assert text != OWN
    own.write_text(text)
    with pytest.raises(RecipeError, match=problem) as caught:
        read_recipe(str(own))
    assert str(own) in str(caught.value)


def test_an_unknown_recipe_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=re.escape("choose one of finetune, finetune40, frozen")):
        read_recipe(str(tmp_path / "nothing"))
