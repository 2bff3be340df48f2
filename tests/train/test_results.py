"""The results page agrees with the run folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_training import TinyTraining, read_csv

from pneumo_train.errors import RunError
from pneumo_train.recipe_files import read_recipe
from pneumo_train.release.results import Row, read_row, render, write_results

SEEDED = Row("finetune", "", [], 1, {"validation": {"AUC": 0.99, "ECE": 0.02}}, 8, ["head 1 at 64 px"], 6, "w", 3, "c")


def lines_of(page: str, start: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith(start)]


def test_a_row_is_what_the_run_measured(tiny: TinyTraining, tiny_run: Path) -> None:
    row = read_row(tiny_run)
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    corruptions = json.loads((tiny_run / "model.json").read_text())["corruptions"]["figures"]
    for split in ("validation", "test"):
        point = metrics[split]["operating_points"]["balanced"]
        assert row.figures[split]["sensitivity"] == point["sensitivity"]
        assert row.figures[split]["F1"] == point["f1"]
        assert row.figures[split]["AUC"] == metrics[split]["auc"]
    assert row.figures["test"]["worst AUC under corruptions"] == min(row["auc"] for row in corruptions.values())
    assert row.films == sum(film["split"] == "train" for film in read_csv(tiny_run / "split.csv"))
    assert row.seed == 7
    assert row.epochs == ["head 8 at 112 px", "top 10 layers 2 at 112 px"]
    assert row.megabytes == pytest.approx((tiny_run / "model.keras").stat().st_size / 1e6)
    assert row.weights == tiny.weights.name
    assert row.command == f"pneumo-train --recipe tiny.toml --weights {tiny.weights.name}"


def test_rows_are_kept_and_the_page_has_all_of_them(tiny_run: Path, tmp_path: Path) -> None:
    (own,) = write_results([tiny_run], tmp_path / "rows", tmp_path / "RESULTS.md")
    other = json.loads((tmp_path / "rows" / "tiny.json").read_text())
    other.update(recipe="scratch", claimed="accuracy 0.95", figures={"test": {"AUC": 0.5}})
    (tmp_path / "rows" / "scratch.json").write_text(json.dumps(other))
    rows = write_results([], tmp_path / "rows", tmp_path / "RESULTS.md")
    assert own in rows
    page = (tmp_path / "RESULTS.md").read_text()
    assert render(rows) == page
    assert lines_of(page, "| scratch | accuracy 0.95 | ")
    assert lines_of(page, f"| tiny.toml |  |  | 7 | {own.figures['validation']['sensitivity']:.3f} | ")
    assert len({line.count("|") for line in lines_of(page, "| ")}) == 1
    assert "Without figures on validation films: scratch." in page


def test_seeds_of_a_recipe_share_a_line_with_mean_and_range() -> None:
    other = replace(SEEDED, seed=2, figures={"validation": {"AUC": 0.97}}, minutes=5)
    changed = replace(SEEDED, changes=["fit.epochs=3"])
    page = render([other, changed, SEEDED])
    assert lines_of(page, "| finetune |") == [
        "| finetune |  |  | 1, 2 | 0.9800 [0.9700, 0.9900] |  | 8 | head 1 at 64 px | 6 | w | 4 | `c` |",
        "| finetune |  | fit.epochs=3 | 1 | 0.9900 | 0.020 | 8 | head 1 at 64 px | 6 | w | 3 | `c` |",
    ]


def test_test_figures_are_shown_for_the_released_recipe_only() -> None:
    measured = {"validation": {"AUC": 0.99}, "test": {"AUC": 0.98, "worst AUC under corruptions": 0.9}}
    shown = render([replace(SEEDED, figures=measured)])
    assert "| AUC | 0.9900 | 0.9800 |" in shown.splitlines()
    assert "| worst AUC under corruptions |  | 0.9000 |" in shown.splitlines()
    for hidden in (replace(SEEDED, recipe="scratch", figures=measured), replace(SEEDED, changes=["a=1"])):
        assert "released" not in render([hidden])
        assert "0.98" not in render([hidden])


def test_a_run_that_has_not_finished_writes_nothing(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(RunError, match="not a finished run"):
        write_results([tiny_run, tmp_path / "run"], tmp_path / "rows", tmp_path / "RESULTS.md")
    assert not (tmp_path / "rows").exists()
    assert not (tmp_path / "RESULTS.md").exists()


@pytest.fixture
def scratch(tiny_run: Path, tmp_path: Path) -> Path:
    """A run of a built-in recipe, according to its records."""
    run = tmp_path / "scratch"
    shutil.copytree(tiny_run, run)
    settings = ["phases.0.image_size=128", "split.seed=3"]
    (run / "recipe.toml").write_text(read_recipe("scratch", settings).to_toml())
    (run / "run.json").write_text(
        json.dumps(
            {"data": "", "recipe": "scratch", "weights": "none", "settings": settings, "split": "/films/split.csv"}
            | {"mixed_precision": True}
        )
    )
    return run


def test_a_run_of_a_built_in_recipe_lists_the_changes(scratch: Path) -> None:
    row = read_row(scratch)
    assert row.changes == ["phases.0.image_size=128"]
    assert row.seed == 3
    options = "--set phases.0.image_size=128 --set split.seed=3 --split split.csv --mixed-precision"
    assert row.command == f"pneumo-train --recipe scratch {options}"


def test_a_run_of_a_recipe_that_has_changed_is_refused(scratch: Path) -> None:
    recipe = (scratch / "recipe.toml").read_text()
    (scratch / "recipe.toml").write_text(recipe.replace("epochs = 20", "epochs = 21"))
    with pytest.raises(RunError, match="the recipe 'scratch' has changed since this run; train it again"):
        read_row(scratch)


def test_a_run_of_another_version_names_the_key(scratch: Path) -> None:
    recipe = (scratch / "recipe.toml").read_text()
    (scratch / "recipe.toml").write_text(recipe + "mixed_share = 0.0\n")
    with pytest.raises(RunError, match=r"phases\.0\.mixed_share: unknown key; use the version of pneumo-train"):
        read_row(scratch)
