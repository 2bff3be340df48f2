"""The table of results says what the run folders say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_training import TinyTraining, read_csv

from pneumo_train.errors import RunError
from pneumo_train.results import read_row, render, write_results


def test_a_row_is_what_the_run_measured(tiny: TinyTraining, tiny_run: Path) -> None:
    row = read_row(tiny_run)
    test = json.loads((tiny_run / "metrics.json").read_text())["test"]
    point = test["operating_points"]["balanced"]
    assert row.figures["sensitivity"] == (point["sensitivity"], *point["intervals"]["sensitivity"])
    assert row.figures["auc"][0] == pytest.approx(test["auc"])
    assert row.figures["f1"][0] == pytest.approx(point["f1"])
    assert all(low <= value <= high for value, low, high in row.figures.values())
    assert row.films == sum(film["split"] == "train" for film in read_csv(tiny_run / "split.csv"))
    assert row.epochs == 10
    assert row.sides == [224]
    assert row.weights == tiny.weights.name
    assert row.command == f"pneumo-train --recipe tiny --weights {tiny.weights.name}"


def test_rows_are_kept_and_the_table_has_all_of_them(tiny_run: Path, tmp_path: Path) -> None:
    write_results([tiny_run], tmp_path / "rows", tmp_path / "RESULTS.md")
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
