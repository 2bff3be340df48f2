"""One table of all runs, measured alike, from what their folders say."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

from pneumo_infer.files import write_json, write_whole
from pneumo_train.errors import RunError
from pneumo_train.measures import bootstrap_by_patient
from pneumo_train.network import weights_name
from pneumo_train.recipe import Recipe, builtin_recipes, read_recipe
from pneumo_train.run import RECIPE_FILE, RunOptions, read_options
from pneumo_train.trained import MODEL_FILE, description_of

PROPORTIONS = ("sensitivity", "specificity", "accuracy", "precision")
PREAMBLE = """# Results

Made by `pneumo-train results RUN…` from the run folders. Every row is measured on the same internal test films, split
by patient, at the operating point `balanced`, which was fixed on validation films. In brackets: 95 % intervals,
Wilson's for proportions, a bootstrap by patient for F1 and AUC. What was claimed was measured on other films, mostly on
splits that share patients. Minutes are those of the training epochs on two processor cores shared with other work.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of one run, at the default operating point on its test films.

    Attributes
    ----------
    figures
        Name to value, and lower and upper end of its 95 % interval.
    stress
        The worst ROC AUC, sensitivity and specificity under a shift.
    """

    name: str
    recipe: str
    claimed: str
    changed: list[str]
    figures: dict[str, tuple[float, float, float]]
    calibration_error: float
    stress: dict[str, float]
    films: int
    epochs: int
    sides: list[int]
    weights: str
    minutes: float
    command: str


def read_row(run: Path) -> Row:
    """Read one run's folder.

    Raises
    ------
    RunError
        The run has not finished, or has no test split.
    """
    try:
        described = json.loads(description_of(run / MODEL_FILE).read_text(encoding="utf-8"))
        test = described["metrics"]["test"]
        history = _read_csv(run / "history.csv")
        predictions = [row for row in _read_csv(run / "predictions.csv") if row["split"] == "test"]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(str(run), f"has no finished run with a test split ({error!r})", "let it finish") from error
    options, recipe = read_options(run), read_recipe(str(run / RECIPE_FILE))
    point = test["operating_points"][described["default_operating_point"]]
    trained = {row["phase"] for row in history}
    return Row(
        name=run.name,
        recipe=Path(options.recipe).stem,
        claimed=recipe.claimed,
        changed=list(options.settings),
        figures={
            **{name: (point[name], *point["intervals"][name]) for name in PROPORTIONS},
            **_figures_by_patient(predictions, point["threshold"]),
        },
        calibration_error=test["expected_calibration_error"],
        stress=described["stress"]["shifts"]["worst"],
        films=described["data"]["films"]["train NORMAL"] + described["data"]["films"]["train PNEUMONIA"],
        epochs=len(history),
        sides=sorted({phase.side for phase in recipe.phases if phase.name in trained}),
        weights="random init" if options.weights == "none" else weights_name(options.weights),
        minutes=sum(float(row["seconds"]) for row in history) / 60,
        command=_command(options, recipe),
    )


def write_results(runs: Sequence[Path], rows_folder: Path, table: Path) -> list[Row]:
    """Keep a row of each run as JSON, and write the table of all rows that are kept.

    Raises
    ------
    RunError
        A run has not finished; nothing is written then.
    """
    read = [read_row(run) for run in runs]
    rows_folder.mkdir(parents=True, exist_ok=True)
    for row in read:
        write_json(rows_folder / f"{row.name}.json", asdict(row))
    rows = [Row(**json.loads(file.read_text(encoding="utf-8"))) for file in sorted(rows_folder.glob("*.json"))]
    with write_whole(table) as file:
        file.write(render(rows))
    return rows


def render(rows: Sequence[Row]) -> str:
    """Write the two tables as Markdown: the recipes as they ship, and the variants of them that were tried."""
    published = list(builtin_recipes())
    recipes = sorted((row for row in rows if row.name in published), key=lambda row: published.index(row.name))
    variants = [row for row in rows if row.name not in published]
    parts = [
        PREAMBLE,
        "## Recipes\n",
        _table(recipes, _RECIPE_COLUMNS),
    ]
    if variants:
        parts += ["## What else was tried\n", _table(variants, _VARIANT_COLUMNS)]
    return "\n".join(parts)


def _figures_by_patient(predictions: list[dict[str, str]], threshold: float) -> dict[str, tuple[float, float, float]]:
    targets = np.array([row["label"] == "PNEUMONIA" for row in predictions], dtype=np.float32)
    probabilities = np.array([float(row["probability"]) for row in predictions], dtype=np.float32)
    patients = [row["patient"] for row in predictions]
    intervals = bootstrap_by_patient(targets, probabilities, patients, threshold=threshold)
    return {
        "f1": (float(f1_score(targets, probabilities >= threshold)), *intervals["f1"]),
        "auc": (float(roc_auc_score(targets, probabilities)), *intervals["auc"]),
    }


def _command(options: RunOptions, recipe: Recipe) -> str:
    parts = ["pneumo-train", "--recipe", Path(options.recipe).stem]
    if options.weights != recipe.network.weights:
        parts += ["--weights", weights_name(options.weights)]
    for setting in options.settings:
        parts += ["--set", f"'{setting}'" if " " in setting else setting]
    return " ".join(parts)


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _figure(name: str, digits: int = 3) -> Any:
    def show(row: Row) -> str:
        value, low, high = row.figures[name]
        return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    return show


def _stress(name: str) -> Any:
    return lambda row: f"{row.stress[name]:.3f}"


_MEASURED = {
    "sensitivity": _figure("sensitivity"),
    "specificity": _figure("specificity"),
    "accuracy": _figure("accuracy"),
    "precision": _figure("precision"),
    "F1": _figure("f1"),
    "AUC": _figure("auc", 4),
    "ECE": lambda row: f"{row.calibration_error:.3f}",
    "worst AUC under stress": _stress("auc"),
    "worst specificity under stress": _stress("specificity"),
}
_SPENT = {
    "films": lambda row: str(row.films),
    "epochs": lambda row: str(row.epochs),
    "pixels": lambda row: ", ".join(map(str, row.sides)),
    "weights": lambda row: row.weights,
    "minutes": lambda row: f"{row.minutes:.0f}",
    "command": lambda row: f"`{row.command}`",
}
_RECIPE_COLUMNS = {"recipe": lambda row: row.name, "claimed": lambda row: row.claimed, **_MEASURED, **_SPENT}
_VARIANT_COLUMNS = {"run": lambda row: row.name, **_MEASURED, **_SPENT}


def _table(rows: Sequence[Row], columns: dict[str, Any]) -> str:
    lines = [list(columns), ["---"] * len(columns), *([show(row) for show in columns.values()] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
