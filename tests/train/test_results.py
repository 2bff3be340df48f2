"""The table of results says what the run folders say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_training import TinyTraining, read_csv

from pneumo_train.errors import RunError
from pneumo_train.recipe import read_recipe
from pneumo_train.results import read_row, render, write_results


def test_a_row_is_what_the_run_measured(tiny: TinyTraining, tiny_run: Path) -> None:
    row = read_row(tiny_run, Path("rows"))
    test = json.loads((tiny_run / "metrics.json").read_text())["test"]
    point = test["operating_points"]["balanced"]
    assert row.figures["sensitivity"] == (point["sensitivity"], *point["intervals"]["sensitivity"])
    assert row.figures["auc"][0] == pytest.approx(test["auc"])
    assert row.figures["f1"][0] == pytest.approx(point["f1"])
    assert all(low <= value <= high for value, low, high in row.figures.values())
    assert row.films == sum(film["split"] == "train" for film in read_csv(tiny_run / "split.csv"))
    assert row.epochs == ["head 8 at 224 px", "top 10 layers 2 at 224 px"]
    assert row.megabytes == pytest.approx((tiny_run / "model.keras").stat().st_size / 1e6)
    assert row.weights == tiny.weights.name
    assert row.command == f"pneumo-train --recipe rows/tiny.toml --weights {tiny.weights.name}"


def test_a_taught_run_names_its_teachers_and_counts_their_minutes(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "taught"
    shutil.copytree(tiny_run, run)
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe + "teaching_temperature = 2\n[teachers.recipes]\nfrozen = []\n")
    alone = read_row(run, Path("rows"))
    assert alone.epochs == ["head 8 at 224 px", "top 10 layers 2 at 224 px taught by frozen"]
    (run / "teachers" / "frozen").mkdir(parents=True)
    shutil.copy(run / "history.csv", run / "teachers" / "frozen")
    assert read_row(run, Path("rows")).minutes == pytest.approx(2 * alone.minutes)
    (run / "teachers" / "top" / "scratch").mkdir(parents=True)
    shutil.copy(run / "history.csv", run / "teachers" / "top" / "scratch")
    assert read_row(run, Path("rows")).minutes == pytest.approx(3 * alone.minutes)
    by_itself = recipe.replace('name = "top"', 'name = "top"\nteachers.mirrored = true\nteaching_temperature = 2')
    (run / "recipe.toml").write_text(by_itself)
    assert read_row(run, Path("rows")).epochs == ["head 8 at 224 px", "top 10 layers 2 at 224 px taught by itself"]


def test_a_mixed_run_says_with_what(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "mixed"
    shutil.copytree(tiny_run, run)
    recipe = (run / "recipe.toml").read_text().replace('keep = "best"', 'keep = "last"')
    before, top = recipe.split('name = "top"')
    mixed = top.replace("mixed_share = 0.0", 'mixed_share = 0.5\nmixed_with = "head"')
    (run / "recipe.toml").write_text(f'{before}name = "top"{mixed}')
    assert read_row(run, Path("rows")).epochs[1] == "top 10 layers 2 at 224 px and mixed with 0.5 of 'head'"


def test_rows_are_kept_and_the_table_has_all_of_them(tiny_run: Path, tmp_path: Path) -> None:
    write_results([tiny_run], tmp_path / "rows", tmp_path / "RESULTS.md")
    kept = read_recipe(str(tmp_path / "rows" / "tiny.toml"))
    assert kept == read_recipe(str(tiny_run / "recipe.toml"))
    other = json.loads((tmp_path / "rows" / "tiny.json").read_text())
    other.update(name="scratch", claimed="accuracy 0.95", stress={"auc": 0.9, "sensitivity": 0.8, "specificity": 0.7})
    (tmp_path / "rows" / "scratch.json").write_text(json.dumps(other))
    rows = write_results([], tmp_path / "rows", tmp_path / "RESULTS.md")
    assert [row.name for row in rows] == ["scratch", "tiny"]
    recipes, variants = (tmp_path / "RESULTS.md").read_text().split("## What else was tried")
    assert "| scratch | accuracy 0.95 | " in recipes
    assert " | 0.900 | 0.700 | " in recipes
    assert "| tiny | " in variants
    table = [line for line in recipes.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert render(rows) == (tmp_path / "RESULTS.md").read_text()


def test_a_run_that_has_not_finished_writes_nothing(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(RunError, match="has no finished run"):
        write_results([tiny_run, tmp_path / "run"], tmp_path / "rows", tmp_path / "RESULTS.md")
    assert not (tmp_path / "rows").exists()
    assert not (tmp_path / "RESULTS.md").exists()


def test_a_recipe_that_ships_is_cited_by_name_with_what_was_taken_away(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "scratch"
    shutil.copytree(tiny_run, run)
    settings = ["phases.0.side=128", "fit.epochs=3"]
    (run / "recipe.toml").write_text(read_recipe("scratch", settings).to_toml())
    (run / "run.json").write_text(
        json.dumps({"data": "", "recipe": "scratch", "weights": "none", "settings": settings, "mixed_precision": True})
    )
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "scratch.toml").write_text("of an earlier run, whose recipe did not ship")
    write_results([run], tmp_path / "rows", tmp_path / "RESULTS.md")
    table = (tmp_path / "RESULTS.md").read_text()
    assert "| less than published: phases.0.side=128, fit.epochs=3 |" in table
    assert "| `pneumo-train --recipe scratch --set phases.0.side=128 --set fit.epochs=3 --mixed-precision` |" in table
    assert not (tmp_path / "rows" / "scratch.toml").exists()
