"""One page of all runs, from what their folders say: mean and range of each figure over the seeds of a recipe."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

from pneumo_infer.atomic_write import atomic_write, write_json
from pneumo_train.errors import RecipeError, RunError
from pneumo_train.evaluation.corruptions import worst_corruptions
from pneumo_train.model.description import ModelDescription
from pneumo_train.model.network import weights_name
from pneumo_train.model.trained import MODEL_FILE, description_of, read_description, read_history
from pneumo_train.recipe import Recipe, builtin_recipes, name_layers, read_recipe
from pneumo_train.training.run import RunOptions, read_options, read_own_recipe

SHIPS = "finetune"  # the recipe of the model that ships
SEED = "split.seed="
DECISIONS = ("sensitivity", "specificity", "accuracy", "precision")
PREAMBLE = """# Results

Written by `pneumo-train results RUN…` from the run folders. Figures are those of the Keras model at the operating point
`balanced`, which is chosen on the validation films. Several seeds of one recipe share a line: the mean, and in brackets
the lowest and the highest. ECE is the expected calibration error. Other seeds are trained on the same films by
`--split split.csv --set split.seed=N`.

## Recipes on the validation films

*Claimed* is what the authors published, measured on other films, mostly on splits that share patients. Epochs say which
layers learned, for how many epochs, on films of how many pixels. MB is the size of the `.keras` file, minutes are the
time of the training epochs.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What one run reached, and how.

    Attributes
    ----------
    recipe
        The name of a recipe that ships, or the file name of another.
    changes
        What the command line changed in the recipe, but for the seed.
    figures
        Split to name of figure to value, at the default operating point.
    epochs
        For each phase: which layers learned, for how many epochs, at which image size.
    """

    recipe: str
    claimed: str
    changes: list[str]
    seed: int
    figures: dict[str, dict[str, float]]
    films: int
    epochs: list[str]
    megabytes: float
    weights: str
    minutes: float
    command: str


def read_row(run: Path) -> Row:
    """Read one run's folder.

    Raises
    ------
    RunError
        The run has not finished, or its recipe has changed since.
    """
    if not description_of(run / MODEL_FILE).exists():
        raise RunError(str(run), "not a finished run", f"finish it with: pneumo-train --resume {run}")
    described, history = read_description(run / MODEL_FILE), read_history(run / MODEL_FILE)
    options, recipe = read_options(run), read_own_recipe(run)
    _check_recipe(run, options, recipe)
    done = Counter(row["phase"] for row in history)
    return Row(
        recipe=Path(options.recipe).name,
        claimed=recipe.claimed,
        changes=[setting for setting in options.settings if not setting.startswith(SEED)],
        seed=recipe.split.seed,
        figures=_figures(described),
        films=sum(described.data.films["train"].values()),
        epochs=[f"{name_layers(p.train)} {done[p.name]} at {p.image_size} px" for p in recipe.phases if done[p.name]],
        megabytes=(run / MODEL_FILE).stat().st_size / 1e6,
        weights="random init" if options.weights == "none" else weights_name(options.weights),
        minutes=sum(float(row["seconds"]) for row in history) / 60,
        command=_command(options, recipe),
    )


def write_results(runs: Sequence[Path], rows_folder: Path, page: Path) -> list[Row]:
    """Keep a row of each run as JSON, named as its folder, and write the page of all rows.

    Raises
    ------
    RunError
        A run has not finished, or its recipe has changed since; nothing is written then.
    """
    read = [read_row(run) for run in runs]
    rows_folder.mkdir(parents=True, exist_ok=True)
    for run, row in zip(runs, read, strict=True):
        write_json(rows_folder / f"{run.name}.json", asdict(row))
    rows = [Row(**json.loads(file.read_text(encoding="utf-8"))) for file in sorted(rows_folder.glob("*.json"))]
    with atomic_write(page) as file:
        file.write(render(rows))
    return rows


def render(rows: Iterable[Row]) -> str:
    """Write the page as Markdown: all recipes on validation films, the one that ships on test films too."""
    by_recipe = sorted(rows, key=lambda row: (row.recipe, row.changes, row.seed))
    groups = [list(same) for _, same in groupby(by_recipe, key=lambda row: (row.recipe, row.changes))]
    parts = [PREAMBLE, _compare(groups)]
    unmeasured = [same[0].recipe for same in groups if not same[0].figures.get("validation")]
    if unmeasured:
        parts.append(f"No figures on validation films were kept of {', '.join(unmeasured)}.\n")
    parts += [_describe_shipped(same) for same in groups if same[0].recipe == SHIPS and not same[0].changes]
    return "\n".join(parts)


def _figures(described: ModelDescription) -> dict[str, dict[str, float]]:
    figures = {}
    for split, metrics in described.metrics.items():
        point = metrics.operating_points[described.default_operating_point]
        others = {"F1": point.f1, "AUC": metrics.auc, "ECE": metrics.expected_calibration_error}
        figures[split] = {name: getattr(point, name) for name in DECISIONS} | others
    corruptions, heatmap = described.corruptions, described.heatmap
    for name, worst in worst_corruptions(corruptions.model_dump()["figures"]).items():
        shown = name.replace("auc", "AUC")
        figures[corruptions.measured_on][f"worst {shown} under corruptions"] = worst["value"]
    values = {
        "heatmap deletion ratio": heatmap.ratio.value,
        "hottest cell inside the lungs": heatmap.hottest_inside_lungs.value,
    }
    figures[heatmap.measured_on] |= {name: value for name, value in values.items() if value is not None}
    return figures


def _check_recipe(run: Path, options: RunOptions, recipe: Recipe) -> None:
    """Refuse a run whose recipe went by a name that stands for another one now."""
    if options.recipe in builtin_recipes():
        try:
            unchanged = read_recipe(options.recipe, options.settings) == recipe
        except RecipeError:
            unchanged = False
        if not unchanged:
            raise RunError(str(run), f"the recipe {options.recipe!r} has changed since", "train it again")


def _command(options: RunOptions, recipe: Recipe) -> str:
    parts = ["pneumo-train", "--recipe", Path(options.recipe).name]
    parts += [word for setting in options.settings for word in ("--set", shlex.quote(setting))]
    if options.split:
        parts += ["--split", Path(options.split).name]
    if options.weights != recipe.network.weights:
        parts += ["--weights", weights_name(options.weights)]
    if options.mixed_precision:
        parts.append("--mixed-precision")
    return " ".join(parts)


def _compare(groups: Sequence[list[Row]]) -> str:
    names = _figure_names([row for same in groups for row in same], "validation")
    return _table([_recipe_line(same, names) for same in groups])


def _recipe_line(same: Sequence[Row], names: Sequence[str]) -> dict[str, str]:
    first = same[0]
    return {
        "recipe": first.recipe,
        "claimed": first.claimed,
        "changes": ", ".join(first.changes),
        "seeds": ", ".join(str(row.seed) for row in same),
        **{name: _mean_and_range(same, "validation", name) for name in names},
        "films": str(first.films),
        "epochs": "; ".join(first.epochs),
        "MB": f"{first.megabytes:.0f}",
        "weights": first.weights,
        "minutes": f"{fmean(row.minutes for row in same):.0f}",
        "command": f"`{first.command}`",
    }


def _describe_shipped(same: Sequence[Row]) -> str:
    splits = ("validation", "test")
    names = dict.fromkeys(name for split in splits for name in _figure_names(same, split))
    lines = [
        {"figure": name, **{f"{split} films": _mean_and_range(same, split, name) for split in splits}} for name in names
    ]
    return f"## The recipe that ships: {SHIPS}\n\n{_table(lines)}"


def _figure_names(rows: Iterable[Row], split: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.figures.get(split, {})))


def _mean_and_range(same: Sequence[Row], split: str, name: str) -> str:
    """Show a figure's mean and range; empty where not every run has it."""
    values = [row.figures[split][name] for row in same if name in row.figures.get(split, {})]
    if len(values) < len(same):
        return ""
    digits = 4 if "AUC" in name else 3
    mean = f"{fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def _table(lines: Sequence[dict[str, str]]) -> str:
    head = list(lines[0]) if lines else []
    rows = [head, ["---"] * len(head), *(list(line.values()) for line in lines)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
