"""One page with the results of all runs: mean and range of each figure over the seeds of a recipe."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from statistics import fmean

from pneumo_infer.files.atomic_write import atomic_write, write_json
from pneumo_train.errors import RecipeError, RunError
from pneumo_train.evaluation.corruptions import worst_corruptions
from pneumo_train.model.description import ModelDescription
from pneumo_train.model.network import weights_name
from pneumo_train.model.trained import MODEL_FILE, description_of, read_description
from pneumo_train.recipe import Recipe, name_layers
from pneumo_train.recipe_files import builtin_recipes, read_recipe
from pneumo_train.side_files import SideFile
from pneumo_train.training.history import read_history
from pneumo_train.training.options import RunOptions, read_options, read_own_recipe

RELEASED_RECIPE = "finetune"
SEED = "split.seed="
DECISIONS = ("sensitivity", "specificity", "accuracy", "precision")
PREAMBLE = """# Results

Written by `pneumo-train results RUN…` from the run folders. The figures are those of the Keras model at the operating
point `balanced`, which is chosen on the validation films. Runs of one recipe with different seeds share a row with
the mean and, in brackets, the lowest and highest value. ECE is the expected calibration error. To train with another
seed on the same films, use `--split split.csv --set split.seed=N`.

## Recipes on the validation films

*claimed* are the figures that the authors published, on other films and mostly with patients in several splits.
*epochs* are the trained layers, number of epochs and image size of each phase. *MB* is the size of the `.keras` file.
*minutes* is the duration of all training epochs.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """Settings and results of one run.

    Attributes
    ----------
    recipe
        Name of a built-in recipe, or file name of another.
    claimed
        Figures that the authors of the recipe published.
    changes
        Recipe settings from the command line, except the seed.
    figures
        Split to name of figure to value, at the default operating point.
    films
        Number of training films.
    epochs
        For each phase: trained layers, number of epochs, image size.
    megabytes
        Size of the Keras file.
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
    """Read the folder of a run.

    Raises
    ------
    RunError
        The run has not finished, or the built-in recipe has changed since.
    """
    if not description_of(run / MODEL_FILE).exists():
        raise RunError(str(run), "not a finished run", f"finish it with: pneumo-train --resume {run}")
    description, history = read_description(run / MODEL_FILE), read_history(run / MODEL_FILE)
    options, recipe = read_options(run), read_own_recipe(run)
    _check_recipe(run, options, recipe)
    epochs = Counter(row["phase"] for row in history)
    return Row(
        recipe=Path(options.recipe).name,
        claimed=recipe.claimed,
        changes=[setting for setting in options.settings if not setting.startswith(SEED)],
        seed=recipe.split.seed,
        figures=_figures(description),
        films=sum(description.data.films["train"].values()),
        epochs=[
            f"{name_layers(phase.train)} {epochs[phase.name]} at {phase.image_size} px"
            for phase in recipe.phases
            if epochs[phase.name]
        ],
        megabytes=(run / MODEL_FILE).stat().st_size / 1e6,
        weights="random init" if options.weights == "none" else weights_name(options.weights),
        minutes=sum(float(row["seconds"]) for row in history) / 60,
        command=_command(options, recipe),
    )


def write_results(runs: Sequence[Path], rows_folder: Path, page: Path) -> list[Row]:
    """Save the row of each run as JSON, and write the page with all saved rows.

    Parameters
    ----------
    runs
        Folders of the runs to add.
    rows_folder
        Folder of the JSON files, which are named after the run folders.
    page
        The Markdown file to write.

    Raises
    ------
    RunError
        A run has not finished, or its built-in recipe has changed since. In this case nothing is written. Or a file
        cannot be read or written.
    """
    new_rows = [read_row(run) for run in runs]
    try:
        rows_folder.mkdir(parents=True, exist_ok=True)
        for run, row in zip(runs, new_rows, strict=True):
            write_json(rows_folder / f"{run.name}.json", asdict(row))
    except OSError as error:
        raise RunError(str(rows_folder), f"cannot be written ({error.strerror})", "choose another --rows") from error
    remedy = "restore or delete it"
    rows = [SideFile(file, remedy).json(Row) for file in sorted(rows_folder.glob("*.json"))]
    with atomic_write(page) as file:
        file.write(render(rows))
    return rows


def render(rows: Iterable[Row]) -> str:
    """Render the page as Markdown: all recipes on validation films, the released recipe also on test films."""
    by_recipe = sorted(rows, key=lambda row: (row.recipe, row.changes, row.seed))
    groups = [list(group) for _, group in groupby(by_recipe, key=lambda row: (row.recipe, row.changes))]
    parts = [PREAMBLE, _compare(groups)]
    unmeasured = [group[0].recipe for group in groups if not group[0].figures.get("validation")]
    if unmeasured:
        parts.append(f"Without figures on validation films: {', '.join(unmeasured)}.\n")
    parts += [
        _released_section(group) for group in groups if group[0].recipe == RELEASED_RECIPE and not group[0].changes
    ]
    return "\n".join(parts)


def _figures(description: ModelDescription) -> dict[str, dict[str, float]]:
    figures = {}
    for split, metrics in description.metrics.items():
        point = metrics.operating_points[description.default_operating_point]
        others = {"F1": point.f1, "AUC": metrics.auc, "ECE": metrics.expected_calibration_error}
        figures[split] = {name: getattr(point, name) for name in DECISIONS} | others
    corruptions, heatmap = description.corruptions, description.heatmap
    for name, worst in worst_corruptions(corruptions.model_dump()["figures"]).items():
        title = name.replace("auc", "AUC")
        figures[corruptions.measured_on][f"worst {title} under corruptions"] = worst["value"]
    values = {
        "heatmap deletion ratio": heatmap.ratio.value,
        "hottest cell inside the lungs": heatmap.hottest_inside_lungs.value,
    }
    figures[heatmap.measured_on] |= {name: value for name, value in values.items() if value is not None}
    return figures


def _check_recipe(run: Path, options: RunOptions, recipe: Recipe) -> None:
    """Raise an error if the built-in recipe of a run has changed since."""
    if options.recipe in builtin_recipes():
        try:
            unchanged = read_recipe(options.recipe, options.settings).trains_like(recipe)
        except RecipeError:
            unchanged = False
        if not unchanged:
            raise RunError(str(run), f"the recipe {options.recipe!r} has changed since this run", "train it again")


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
    names = _figure_names([row for group in groups for row in group], "validation")
    return _table([_recipe_line(group, names) for group in groups])


def _recipe_line(group: Sequence[Row], names: Sequence[str]) -> dict[str, str]:
    first = group[0]
    return {
        "recipe": first.recipe,
        "claimed": first.claimed,
        "changes": ", ".join(first.changes),
        "seeds": ", ".join(str(row.seed) for row in group),
        **{name: _mean_and_range(group, "validation", name) for name in names},
        "films": str(first.films),
        "epochs": "; ".join(first.epochs),
        "MB": f"{first.megabytes:.0f}",
        "weights": first.weights,
        "minutes": f"{fmean(row.minutes for row in group):.0f}",
        "command": f"`{first.command}`",
    }


def _released_section(group: Sequence[Row]) -> str:
    splits = ("validation", "test")
    names = dict.fromkeys(name for split in splits for name in _figure_names(group, split))
    lines = [
        {"figure": name, **{f"{split} films": _mean_and_range(group, split, name) for split in splits}}
        for name in names
    ]
    return f"## The released recipe: {RELEASED_RECIPE}\n\n{_table(lines)}"


def _figure_names(rows: Iterable[Row], split: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.figures.get(split, {})))


def _mean_and_range(group: Sequence[Row], split: str, name: str) -> str:
    """Format the mean and range of a figure. The result is empty if a run has no such figure."""
    values = [row.figures[split][name] for row in group if name in row.figures.get(split, {})]
    if len(values) < len(group):
        return ""
    digits = 4 if "AUC" in name else 3
    mean = f"{fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def _table(lines: Sequence[dict[str, str]]) -> str:
    head = list(lines[0]) if lines else []
    rows = [head, ["---"] * len(head), *(list(line.values()) for line in lines)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
