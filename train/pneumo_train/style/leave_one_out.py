"""Leave one style out: measure specificity on NORMAL films of a style that training showed only with PNEUMONIA.

This imitates a new hospital, whose films share one style. A network that has seen this style in one class only, and
relies on style, assigns all of them to that class. For each style cluster of the training films, a network is trained
without the cluster's NORMAL films, but with its PNEUMONIA films.

run.json, recipe.toml, split.csv   as in a run, see training/run.py
cluster-N/                         state.json and history.csv, see training/checkpoints.py; result.json when measured
leave-one-style-out.json           all results so far, and their means
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.table import Table

from pneumo_infer.files.atomic_write import write_json
from pneumo_infer.model.info import LABELS
from pneumo_train.console import print_line
from pneumo_train.errors import DataError, RunError
from pneumo_train.evaluation.metrics import wilson_interval
from pneumo_train.model.network import rebuild_trunk
from pneumo_train.recipe import Recipe
from pneumo_train.release.release import DEFAULT_OPERATING_POINT, column_of
from pneumo_train.release.thresholds import choose_thresholds
from pneumo_train.side_files import SideFile
from pneumo_train.style.films import Rows, StyledFilms, find_styles
from pneumo_train.training.checkpoints import RunState
from pneumo_train.training.devices import computing
from pneumo_train.training.films import split_films
from pneumo_train.training.fit import train
from pneumo_train.training.options import RunOptions, read_options, read_own_recipe
from pneumo_train.training.run import alone_in, make_run_folder

MIN_NORMAL_FILMS = 40  # in a cluster; specificity on fewer films is too uncertain
SUMMARY_FILE = "leave-one-style-out.json"
RESULT_FILE = "result.json"
MEANS = ("specificity", "typical_specificity", "sensitivity")


class Share(BaseModel):
    """The share of films that is classified correctly, with its 95 % interval."""

    films: int
    value: float
    interval: tuple[float, float]


class Result(BaseModel):
    """The content of `result.json`; figures are None if there are no films to measure on."""

    cluster: int
    training_films: dict[str, int]
    left_out: dict[Literal["films_of_the_style", "other_films_of_these_patients"], int]
    epochs: int
    operating_point: str
    threshold: float
    specificity: Share | None
    measured_on: str
    typical_specificity: Share | None
    sensitivity: Share | None


def leave_one_style_out(
    folder: Path, recipe: Recipe, options: RunOptions, chosen: Sequence[int] = ()
) -> dict[str, Any]:
    """Train and measure a network without each style; skip the styles that are already measured in this folder.

    Parameters
    ----------
    folder
        Folder of the trainings and results.
    chosen
        Numbers of the clusters; if empty, all that have enough NORMAL films.

    Returns
    -------
    dict
        `clusters`, all results in this folder, including those of earlier calls; and `mean`, the means of their
        figures.

    Raises
    ------
    RunError
        The folder has results with other options, or another process is training in it.
    PneumoError
        The weights or the data cannot be used, or a chosen cluster does not have enough NORMAL films.
    """
    if not (folder / "run.json").exists():
        make_run_folder(folder, recipe, options)
    elif (read_options(folder), read_own_recipe(folder)) != (options, recipe):
        raise RunError(str(folder), "was started with other options", "repeat those, or name another --output")
    with alone_in(folder):
        styled = find_styles(split_films(folder, options, recipe))
        for cluster in _choose(styled, chosen):
            own = folder / f"cluster-{cluster}"
            if not (own / RESULT_FILE).exists():
                own.mkdir(exist_ok=True)
                write_json(own / RESULT_FILE, _train_without(cluster, styled, recipe, options, own))
                shutil.rmtree(own / "checkpoints")
        summary = _summarise(folder)
        write_json(folder / SUMMARY_FILE, summary)
    return summary


def _choose(styled: StyledFilms, chosen: Sequence[int]) -> list[int]:
    numbers = range(int(styled.clusters.max()) + 1)
    eligible = [cluster for cluster in numbers if len(styled.training(cluster, 0)) >= MIN_NORMAL_FILMS]
    if not eligible:
        raise DataError("training split", f"has no style with {MIN_NORMAL_FILMS} NORMAL films", "add more films")
    unusable = [cluster for cluster in chosen if cluster not in eligible]
    if unusable:
        problem = f"not a style with {MIN_NORMAL_FILMS} NORMAL training films"
        raise DataError(f"cluster {unusable[0]}", problem, f"choose from {', '.join(map(str, eligible))}")
    return sorted(set(chosen)) or eligible


def _train_without(
    cluster: int, styled: StyledFilms, recipe: Recipe, options: RunOptions, folder: Path
) -> dict[str, Any]:
    """Train in a folder, or resume the training there, and measure."""
    keras.utils.clear_session()
    remaining, excluded = styled.without(cluster), styled.training(cluster, 0)
    others = len(styled.films.rows["train"]) - len(remaining.rows["train"]) - len(excluded)
    print_line(
        f"cluster {cluster}: training without its {len(excluded)} NORMAL films and {others} more of the same patients"
    )
    state = RunState.read(folder)
    with computing(options.mixed_precision, options.distribute):
        trunk = train(recipe, options.weights, remaining, state)
    trunk = rebuild_trunk(trunk, recipe.network, recipe.phases[-1].image_size)
    return {
        "cluster": cluster,
        "training_films": {label: len(styled.training(cluster, number)) for number, label in enumerate(LABELS)},
        "left_out": {"films_of_the_style": len(excluded), "other_films_of_these_patients": others},
        "epochs": len(state.history),
        **_measure(trunk, cluster, styled, remaining.rows["validation"]),
    }


def _measure(trunk: keras.Model, cluster: int, styled: StyledFilms, validation: Rows) -> dict[str, Any]:
    films, logit = styled.films, column_of(trunk, "logit")
    calibration, points = choose_thresholds(logit, films.pixels[validation], films.targets[validation])
    threshold = points[DEFAULT_OPERATING_POINT]["threshold"]

    def share_correct(rows: Rows, label: int) -> dict[str, Any] | None:
        if not len(rows):
            return None
        predicted = calibration(logit(films.pixels[rows])) >= threshold
        correct = int((predicted == bool(label)).sum())
        return {"films": len(rows), "value": correct / len(rows), "interval": wilson_interval(correct, len(rows))}

    held_out = films.rows[styled.measured_on]
    normal, pneumonia = held_out[films.targets[held_out] == 0], held_out[films.targets[held_out] == 1]
    typical = normal[~styled.atypical[normal] & (styled.clusters[normal] != cluster)]
    return {
        "operating_point": DEFAULT_OPERATING_POINT,
        "threshold": threshold,
        "specificity": share_correct(styled.training(cluster, 0), 0),
        "measured_on": styled.measured_on,
        "typical_specificity": share_correct(typical, 0),
        "sensitivity": share_correct(pneumonia, 1),
    }


def _summarise(folder: Path) -> dict[str, Any]:
    files = folder.glob(f"cluster-*/{RESULT_FILE}")
    results = [SideFile(f, "delete it to train again without this style").json(Result).model_dump() for f in files]
    results.sort(key=lambda result: result["cluster"])
    values = {name: [result[name]["value"] for result in results if result[name]] for name in MEANS}
    return {"clusters": results, "mean": {name: float(np.mean(v)) if v else None for name, v in values.items()}}


def print_summary(summary: dict[str, Any]) -> None:
    """Print the results and their means as a table."""
    table = Table(box=box.SIMPLE, show_footer=True)
    table.add_column("cluster", "mean")
    table.add_column("NORMAL films left out", justify="right")
    for name, heading in zip(MEANS, ("specificity on these", "on typical held-out films", "sensitivity"), strict=True):
        mean = summary["mean"][name]
        table.add_column(heading, "none" if mean is None else f"{mean:.3f}", justify="right")
    for result in summary["clusters"]:
        left_out = str(result["left_out"]["films_of_the_style"])
        table.add_row(str(result["cluster"]), left_out, *(_format_figure(result[name]) for name in MEANS))
    Console().print(table)


def _format_figure(figure: dict[str, Any] | None) -> str:
    return "none" if figure is None else "{:.3f}\n{:.3f} to {:.3f}".format(figure["value"], *figure["interval"])
