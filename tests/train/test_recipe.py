"""Recipes: what is read, and what is refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pneumo_train.errors import RecipeError
from pneumo_train.recipe import builtin_recipes, read_recipe

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
class_weights = true
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
        str(own), ["fit.epochs=3", "phases.0.learning_rate=1e-4", "phases.head.side=128", "network.weights=none"]
    )
    assert recipe.planned_phases()[0].epochs == 3
    assert recipe.phases[0].epochs == 4
    assert recipe.phases[0].learning_rate == 1e-4
    assert recipe.phases[0].side == 128
    assert recipe.network.weights == "none"
    assert read_recipe(str(own), ["augment.flip=true"]).augment.flip


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("fit.epochs", "is no setting; write it as KEY=VALUE"),
        ("fit.epoch=3", r"fit\.epoch: Extra inputs"),
        ("fit.epochs=0", r"fit\.epochs: .*greater than or equal to 1"),
        ("phases.tail.epochs=3", "names no phase 'tail'; choose from head, 0"),
        ("phases=3", "phases: Input should be a valid"),
        ("fit.batch_size.x=3", "has no key 'batch_size'|names a list, not a value"),
    ],
)
def test_settings_that_cannot_be_used(own: Path, setting: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        read_recipe(str(own), [setting])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("batch_size = 16", "batch_size = 0"), r"fit\.batch_size: .*greater than or equal to 1"),
        (("batch_size = 16", "batch_sise = 16"), r"fit\.batch_sise: Extra inputs"),
        (("seed = 1\n", ""), r"split\.seed: Field required"),
        (('train = "head"', 'train = "tail"'), r"phases\.0\.train"),
        (("validation = 0.1", "validation = 0.7"), r"split\.validation"),
        (("[split]", "[split"), "is no TOML"),
        (('name = "head"', 'name = "../head"'), r"phases\.0\.name: .*match pattern"),
        (("[[phases]]", OWN[OWN.index("[[phases]]") :] + "[[phases]]"), "several phases are named 'head'"),
        (("epochs = 4", "epochs = 4\nteaching_temperature = 0.5"), r"phases\.0\.teaching_temperature: .*equal to 1"),
        (("epochs = 4", "epochs = 4\nteaching_temperature = 1"), "but there are no teachers"),
        (("[fit]", "[teachers]\nrecipes.frozen = []\n[fit]"), "but no phase has a teaching_temperature"),
        (
            ("epochs = 4", "epochs = 4\nteachers.recipes.frozen = []"),
            "a phase has teachers, but no teaching_temperature",
        ),
    ],
)
def test_errors_name_the_key(own: Path, change: tuple[str, str], problem: str) -> None:
    text = OWN.replace(*change)
    assert text != OWN
    own.write_text(text)
    with pytest.raises(RecipeError, match=problem) as caught:
        read_recipe(str(own))
    assert str(own) in str(caught.value)


@pytest.mark.parametrize(
    ("teachers", "problem"),
    [
        ("", "the first phase has no network yet that could teach, and teachers without recipes"),
        ("own = []", r"teachers\.recipes\.own: is no built-in recipe; choose from finetune, finetune40"),
        ("finetune = []", r"recipes\.finetune: has teachers itself"),
        ('"frozen/../x" = []', r"teachers\.recipes\.frozen/\.\./x.*: String should match pattern"),
        ('frozen = ["fit.epoch=1"]', r"recipes\.frozen: fit\.epoch: Extra inputs"),
    ],
)
def test_teachers_that_cannot_teach(own: Path, teachers: str, problem: str) -> None:
    own.write_text(f"{OWN}teaching_temperature = 1\n[teachers.recipes]\n{teachers}\n")
    with pytest.raises(RecipeError, match=problem):
        read_recipe(str(own))


def test_teachers_are_changed_as_on_the_command_line_and_take_no_longer(own: Path) -> None:
    recipes = 'frozen = ["phases.0.side=96"]\n"frozen on small films" = ["phases.0.side=64"]\n'
    own.write_text(f"{OWN}teaching_temperature = 1\n[teachers.recipes]\n{recipes}")
    recipe = read_recipe(str(own), ["fit.epochs=2"])
    assert recipe.teachers is not None
    teachers = recipe.recipes_of(recipe.teachers)
    assert {name: teacher.phases[0].side for name, teacher in teachers.items()} == {
        "frozen": 96,
        "frozen on small films": 64,
    }
    assert [phase.epochs for phase in teachers["frozen"].planned_phases()] == [2]


def test_a_network_can_teach_itself_alone(own: Path) -> None:
    phase = OWN[OWN.index("[[phases]]") :].replace('"head"', '"taught"', 1)
    own.write_text(f"{OWN}{phase}teaching_temperature = 4\n[phases.teachers]\nmirrored = true\n")
    recipe = read_recipe(str(own))
    teachers = recipe.teachers_in(recipe.phases[1])
    assert teachers is not None
    assert recipe.recipes_of(teachers) == {}


@pytest.mark.parametrize(
    ("mixed", "problem"),
    [
        ('mixed_with = "head"', "phase 'top' has one of mixed_with and mixed_share"),
        ("mixed_share = 0.5", "phase 'top' has one of mixed_with and mixed_share"),
        ('mixed_with = "top"\nmixed_share = 0.5', "mixed with 'top': no earlier, unmixed phase"),
        ('mixed_with = "head"\nmixed_share = 0.5', "fit.keep has to be last"),
    ],
)
def test_phases_that_cannot_be_mixed(own: Path, mixed: str, problem: str) -> None:
    own.write_text(OWN + OWN[OWN.index("[[phases]]") :].replace('"head"', '"top"', 1) + mixed)
    with pytest.raises(RecipeError, match=problem):
        read_recipe(str(own))


def test_a_phase_can_have_teachers_of_its_own(own: Path) -> None:
    phase = OWN[OWN.index("[[phases]]") :]
    taught = phase + "teaching_temperature = 1\n"
    by_recipes = taught.replace('"head"', '"taught"', 1)
    by_its_own = taught.replace('"head"', '"taught again"', 1) + 'teachers.recipes.scratch = ["phases.0.side=64"]\n'
    own.write_text(OWN + by_recipes + by_its_own + "[teachers.recipes]\nfrozen = []\n")
    recipe = read_recipe(str(own))
    first, second, third = [recipe.teachers_in(phase) for phase in recipe.phases]
    assert first is None
    assert second == recipe.teachers
    assert third is not None
    assert recipe.recipes_of(third)["scratch"].phases[0].side == 64

    own.write_text(own.read_text().replace("phases.0.side=64", "phases.0.side=1"))
    with pytest.raises(RecipeError, match=r"teachers\.recipes\.scratch: phases\.0\.side: .*equal to 64"):
        read_recipe(str(own))


def test_an_unknown_recipe_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=re.escape("choose one of finetune, finetune40, frozen")):
        read_recipe(str(tmp_path / "nothing"))
