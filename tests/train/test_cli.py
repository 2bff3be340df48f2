"""pneumo-train reports errors before it trains."""

from __future__ import annotations

from pathlib import Path

from made_films import write_chest_xray
from typer.testing import CliRunner

from pneumo_train.commands import app
from pneumo_train.recipe_files import read_recipe


def invoke(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_missing_data(tmp_path: Path) -> None:
    code, printed = invoke("--data", tmp_path / "gone", "--output", tmp_path / "run")
    assert code == 2
    assert "gone: not a folder; set --data to the folder that contains" in printed


def test_an_unknown_recipe_makes_no_folder(tmp_path: Path) -> None:
    code, printed = invoke("--recipe", "best", "--output", tmp_path / "run")
    assert code == 2
    assert "best: not a recipe" in printed
    assert not (tmp_path / "run").exists()


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    data = write_chest_xray(tmp_path / "chest_xray", patients=6)
    arguments = ["--data", data, "--weights", tmp_path / "gone.h5", "--cache", tmp_path / "cache"]
    code, printed = invoke(*arguments, "--output", tmp_path / "run")
    assert code == 2
    assert "gone.h5: cannot be loaded" in printed


def test_a_run_with_a_recipe_of_another_version_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"data": "", "recipe": "scratch", "weights": "none"}')
    (tmp_path / "recipe.toml").write_text(read_recipe("scratch").to_toml() + "teaching_temperature = 4\n")
    code, printed = invoke("--resume", tmp_path)
    assert code == 2
    assert "recipe.toml: phases.0.teaching_temperature: unknown key; use the version of pneumo-train that" in printed


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, printed = invoke("--output", tmp_path / "file" / "run")
    assert code == 2
    assert "cannot be written" in printed


def test_recipes_are_listed_one_per_line() -> None:
    code, printed = invoke("recipes")
    assert code == 0
    names = [line.split()[0] for line in printed.splitlines()]
    assert names == ["finetune", "finetune40", "frozen", "mobilenet", "scratch", "twophase"]
    assert all(len(line.split()) > 5 for line in printed.splitlines())


def test_a_setting_that_is_wrong_makes_no_folder(tmp_path: Path) -> None:
    code, printed = invoke("--set", "fit.epoch=3", "--output", tmp_path / "run")
    assert code == 2
    assert "fit.epoch: unknown key" in printed
    assert not (tmp_path / "run").exists()
