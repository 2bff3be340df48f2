"""One table of all runs, measured alike, from what their folders say."""

from __future__ import annotations

import csv
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, roc_auc_score

from pneumo_infer.files import write_json, write_whole
from pneumo_train.errors import RecipeError, RunError
from pneumo_train.fit import TEACHERS
from pneumo_train.measures import bootstrap_by_patient
from pneumo_train.network import weights_name
from pneumo_train.recipe import Phase, Recipe, builtin_recipes, name_layers, read_recipe
from pneumo_train.run import RECIPE_FILE, RunOptions, read_options
from pneumo_train.trained import MODEL_FILE, description_of

PROPORTIONS = ("sensitivity", "specificity", "accuracy", "precision")
PREAMBLE = """# Results

Made by `pneumo-train results RUN…` from the run folders. Every row is measured on the same internal test films, split
by patient, at the operating point `balanced`, which was fixed on validation films. In brackets: 95 % intervals,
Wilson's for proportions, a bootstrap by patient for F1 and AUC. What was claimed was measured on other films, mostly on
splits that share patients. ECE is the expected calibration error; stress, the worst of the shifts that
`pneumo-train evaluate` applies. Epochs tell which layers learned, for how many epochs, on films of how many pixels.
MB is the size of the `.keras` file. Minutes are those of the training epochs, teachers' too, on two processor cores
shared with other work; those of the eleventh phase of `finetune`, and of its teachers, on an NVIDIA H200.
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
    reduced
        What the command line took away from, or changed in, the recipe.
    epochs
        For each phase: which layers learned, for how many epochs, at which side of the film.
    ships
        Whether the recipe is one of those that the package carries.
    """

    name: str
    summary: str
    claimed: str
    figures: dict[str, tuple[float, float, float]]
    calibration_error: float
    stress: dict[str, float]
    films: int
    reduced: list[str]
    epochs: list[str]
    megabytes: float
    weights: str
    minutes: float
    ships: bool
    command: str


def read_row(run: Path, rows_folder: Path) -> Row:
    """Read one run's folder; a recipe that does not ship is cited as it will lie in the folder of rows.

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
    ships = _ships(options, recipe)
    point = test["operating_points"][described["default_operating_point"]]
    return Row(
        name=run.name,
        summary=recipe.summary,
        claimed=recipe.claimed,
        figures={
            **{name: (point[name], *point["intervals"][name]) for name in PROPORTIONS},
            **_figures_by_patient(predictions, point["threshold"]),
        },
        calibration_error=test["expected_calibration_error"],
        stress=described["stress"]["shifts"]["worst"],
        films=described["data"]["films"]["train NORMAL"] + described["data"]["films"]["train PNEUMONIA"],
        reduced=list(options.settings),
        epochs=_epochs(recipe, Counter(row["phase"] for row in history)),
        megabytes=(run / MODEL_FILE).stat().st_size / 1e6,
        weights="random init" if options.weights == "none" else weights_name(options.weights),
        minutes=sum(_minutes(file) for file in (run / "history.csv", *run.glob(f"{TEACHERS}/**/history.csv"))),
        ships=ships,
        command=_command(options, recipe, None if ships else rows_folder / f"{run.name}.toml"),
    )


def write_results(runs: Sequence[Path], rows_folder: Path, table: Path) -> list[Row]:
    """Keep a row of each run as JSON, beside it its recipe if that does not ship, and write the table of all rows.

    Raises
    ------
    RunError
        A run has not finished; nothing is written then.
    """
    read = [read_row(run, rows_folder) for run in runs]
    rows_folder.mkdir(parents=True, exist_ok=True)
    for run, row in zip(runs, read, strict=True):
        own_recipe = rows_folder / f"{row.name}.toml"
        if row.ships:
            own_recipe.unlink(missing_ok=True)
        else:
            with write_whole(own_recipe) as file:
                file.write((run / RECIPE_FILE).read_text(encoding="utf-8"))
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


def _epochs(recipe: Recipe, done: Counter[str]) -> list[str]:
    """For example `top 95 layers 3 at 224 px`, by which recipes they were taught, and with what they were mixed."""

    def say(phase: Phase) -> str:
        teachers = recipe.teachers_in(phase)
        taught = "" if teachers is None else f" taught by {', '.join(teachers.recipes or ['itself'])}"
        mixed = "" if phase.mixed_with is None else f" and mixed with {phase.mixed_share:g} of {phase.mixed_with!r}"
        return f"{name_layers(phase.train)} {done[phase.name]} at {phase.side} px{taught}{mixed}"

    return [say(phase) for phase in recipe.phases if done[phase.name]]


def _minutes(history: Path) -> float:
    return sum(float(row["seconds"]) for row in _read_csv(history)) / 60


def _command(options: RunOptions, recipe: Recipe, own_recipe: Path | None) -> str:
    parts = ["pneumo-train", "--recipe"]
    if own_recipe is None:
        parts += [options.recipe, *(word for setting in options.settings for word in ("--set", shlex.quote(setting)))]
    else:
        parts.append(str(own_recipe))
    if options.weights != recipe.network.weights:
        parts += ["--weights", weights_name(options.weights)]
    if options.mixed_precision:
        parts.append("--mixed-precision")
    return " ".join(parts)


def _ships(options: RunOptions, recipe: Recipe) -> bool:
    try:
        return options.recipe in builtin_recipes() and read_recipe(options.recipe, options.settings) == recipe
    except RecipeError:  # a setting of a recipe that has changed since
        return False


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
    "epochs": lambda row: "; ".join(row.epochs),
    "MB": lambda row: f"{row.megabytes:.0f}",
    "weights": lambda row: row.weights,
    "minutes": lambda row: f"{row.minutes:.0f}",
    "command": lambda row: f"`{row.command}`",
}
_RECIPE_COLUMNS = {
    "recipe": lambda row: row.name,
    "claimed": lambda row: row.claimed,
    **_MEASURED,
    "schedule": lambda row: f"less than published: {', '.join(row.reduced)}" if row.reduced else "in full",
    **_SPENT,
}
_VARIANT_COLUMNS = {"run": lambda row: row.name, "what it is": lambda row: row.summary, **_MEASURED, **_SPENT}


def _table(rows: Sequence[Row], columns: dict[str, Any]) -> str:
    lines = [list(columns), ["---"] * len(columns), *([show(row) for show in columns.values()] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
