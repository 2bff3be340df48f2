"""The commands of pneumo-train."""

from __future__ import annotations

import os
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from pneumo_infer.cli.exit_codes import exit_codes
from pneumo_infer.cli.start import raise_if_interrupted
from pneumo_infer.cli.streams import echo
from pneumo_infer.cli.usage_errors import PrintableGroup
from pneumo_infer.errors import MissingExtraError
from pneumo_train.import_quietly import import_quietly

CLASS_FOLDER = typer.Option(
    "--class-folder",
    metavar="LABEL=FOLDER",
    help="Folder of a class, if it is not called NORMAL or PNEUMONIA. Can be repeated.",
)
RECIPE = typer.Option(help="Name of a built-in recipe, or path of a TOML file.")
SETTINGS = typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the recipe. Can be repeated.")
WEIGHTS = typer.Option(help="Initial weights: imagenet, none, or a no-top weights file. Default: those of the recipe.")
SPLIT_FILE = typer.Option(
    "--split", help="CSV file with the split. Default: split.csv in the data folder, if it exists."
)
MIXED_PRECISION = typer.Option("--mixed-precision", help="Compute in bfloat16, on hardware that supports it.")
PATIENTS = typer.Option(help="CSV file with the columns path and patient, if file names do not identify patients.")
OOD_FILMS = typer.Option(help="Folder of out-of-domain films, with a subfolder for each kind.")
CACHE = typer.Option(help="Folder for decoded films. Default: the user's cache folder.")

PROGRAM = "pneumo-train"

app = typer.Typer(cls=PrintableGroup, add_completion=False, pretty_exceptions_enable=False)


class Distribute(StrEnum):
    """How to use several devices."""

    NONE = "none"
    DATA = "data"


@app.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    data: Annotated[
        Path, typer.Option(help="Data set: a folder with train/NORMAL, train/PNEUMONIA and optionally val and test.")
    ] = Path("chest_xray"),
    recipe: Annotated[str, RECIPE] = "finetune",
    settings: Annotated[list[str] | None, SETTINGS] = None,
    weights: Annotated[str | None, WEIGHTS] = None,
    output: Annotated[Path | None, typer.Option(help="Run folder. Default: runs/RECIPE-TIME.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Resume the run in this folder. Other options are ignored.")
    ] = None,
    class_folder: Annotated[list[str] | None, CLASS_FOLDER] = None,
    patients: Annotated[Path | None, PATIENTS] = None,
    split_file: Annotated[Path | None, SPLIT_FILE] = None,
    mixed_precision: Annotated[bool, MIXED_PRECISION] = False,
    distribute: Annotated[
        Distribute, typer.Option(help="With data, split each batch across all GPUs of this machine.")
    ] = Distribute.NONE,
    ood_films: Annotated[Path | None, OOD_FILMS] = None,
    known_films: Annotated[
        Path | None, typer.Option(help="Folder of more in-domain films, for example as other programs export them.")
    ] = None,
    cache: Annotated[Path | None, CACHE] = None,
) -> None:
    """Train a model that classifies chest X-rays as NORMAL or PNEUMONIA."""
    if context.invoked_subcommand:
        return
    folder = resume or output or Path("runs") / f"{Path(recipe).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    with exit_codes(PROGRAM, lambda: f"to resume, run: pneumo-train --resume {folder}"):
        run = _load("training.run")
        if resume:
            run.resume_run(folder)
            return
        parsed = _load("recipe_files").read_recipe(recipe, settings or [])
        options = _load("training.options").RunOptions(
            data=os.path.realpath(data),
            recipe=recipe,
            settings=tuple(settings or ()),
            weights=_weights(weights or parsed.network.weights),
            class_folders=tuple(class_folder or ()),
            patients=_absolute(patients),
            split=_absolute(split_file),
            mixed_precision=mixed_precision,
            distribute=distribute.value,
            cache=_absolute(cache),
            known_films=_absolute(known_films),
            ood_films=_absolute(ood_films),
        )
        run.start_run(folder, parsed, options)


@app.command()
def leave_one_style_out(
    data: Annotated[Path, typer.Option(help="Folder of films, as for training.")] = Path("chest_xray"),
    recipe: Annotated[str, RECIPE] = "finetune",
    settings: Annotated[list[str] | None, SETTINGS] = None,
    weights: Annotated[str | None, WEIGHTS] = None,
    output: Annotated[
        Path | None, typer.Option(help="Output folder. If it has results already, only missing ones are added.")
    ] = None,
    clusters: Annotated[
        list[int] | None,
        typer.Option(help="Number of a style to leave out. Can be repeated. Default: all with 40 NORMAL films."),
    ] = None,
    class_folder: Annotated[list[str] | None, CLASS_FOLDER] = None,
    patients: Annotated[Path | None, PATIENTS] = None,
    split_file: Annotated[Path | None, SPLIT_FILE] = None,
    mixed_precision: Annotated[bool, MIXED_PRECISION] = False,
    cache: Annotated[Path | None, CACHE] = None,
) -> None:
    """Train once per acquisition style, without its NORMAL films, and evaluate on these films."""
    folder = output or Path("runs") / f"styles-{Path(recipe).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    with exit_codes(PROGRAM, lambda: f"to resume, run the same command with --output {folder}"):
        study, parsed = _load("style.leave_one_out"), _load("recipe_files").read_recipe(recipe, settings or [])
        options = _load("training.options").RunOptions(
            data=os.path.realpath(data),
            recipe=recipe,
            settings=tuple(settings or ()),
            weights=_weights(weights or parsed.network.weights),
            class_folders=tuple(class_folder or ()),
            patients=_absolute(patients),
            split=_absolute(split_file),
            mixed_precision=mixed_precision,
            cache=_absolute(cache),
        )
        study.print_summary(study.leave_one_style_out(folder, parsed, options, clusters or []))
        echo(f"results: {folder / study.SUMMARY_FILE}")


@app.command()
def recipes() -> None:
    """List the built-in recipes."""
    with exit_codes(PROGRAM):
        for name, recipe in _load("recipe_files").builtin_recipes().items():
            echo(f"{name:12} {recipe.summary}")


@app.command()
def split(
    to: Annotated[Path, typer.Option(help="Output folder. Must be new or empty.")],
    data: Annotated[Path, typer.Option(help="Folder of films, as for training.")] = Path("chest_xray"),
    ratios: Annotated[str, typer.Option(help="Shares of training, validation and test films.")] = "80/10/10",
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed. The same films, ratios and seed give the same split.")
    ] = 42,
    class_folder: Annotated[list[str] | None, CLASS_FOLDER] = None,
    patients: Annotated[Path | None, PATIENTS] = None,
    cache: Annotated[Path | None, CACHE] = None,
) -> None:
    """Split films by patient and class into train, val and test folders, with a split.csv for training."""
    with exit_codes(PROGRAM):
        films = _load("data.split_folders").split_into_folders(
            data, _layout(class_folder, patients), ratios, seed, to, cache
        )
        echo(f"wrote {len(films)} films to {to}; to train on them, run: pneumo-train --data {to}")


class Films(StrEnum):
    """The films to evaluate on."""

    TEST = "test"
    VALIDATION = "validation"
    ALL = "all"


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="Model to evaluate: a .keras or .onnx file.")],
    data: Annotated[Path, typer.Option(help="Folder of films, as for training.")] = Path("chest_xray"),
    operating_point: Annotated[
        str | None, typer.Option(help="Operating point that decides the labels. Default: that of the model.")
    ] = None,
    films: Annotated[
        Films,
        typer.Option("--split", help="Which films to evaluate on."),
    ] = Films.TEST,
    corruptions: Annotated[bool, typer.Option(help="Also evaluate on corrupted films.")] = True,
    output: Annotated[
        Path | None, typer.Option(help="Output folder. Default: evaluation-MODEL next to the model.")
    ] = None,
    class_folder: Annotated[list[str] | None, CLASS_FOLDER] = None,
    patients: Annotated[Path | None, PATIENTS] = None,
    ood_films: Annotated[Path | None, OOD_FILMS] = None,
    cache: Annotated[Path | None, CACHE] = None,
) -> None:
    """Evaluate a model, and write metrics.json and report.html."""
    folder = output or model.parent / f"evaluation-{model.stem}"
    with exit_codes(PROGRAM):
        evaluation = _load("evaluation.evaluate").evaluate(
            model,
            data,
            folder,
            operating_point,
            films.value,
            _layout(class_folder, patients),
            corruptions,
            cache,
            ood_films,
        )
        name, metrics = evaluation.operating_point, evaluation.metrics
        point = metrics["operating_points"][name]
        echo(
            f"{name}: sensitivity {point['sensitivity']:.3f}, specificity {point['specificity']:.3f}, "
            f"accuracy {point['accuracy']:.3f}; ROC AUC {metrics['auc']:.4f}"
        )
        echo(f"report: {folder / 'report.html'}")


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    to: Annotated[Path, typer.Option(help="Output folder.")] = Path("models"),
    name: Annotated[str, typer.Option(help="Name of the model files: NAME.keras and NAME.json.")] = "pneumo-resnet50",
) -> None:
    """Copy the model and records of a finished run to a folder, without local paths."""
    with exit_codes(PROGRAM):
        for file in _load("release.publish").publish_run(run, to, name):
            echo(str(file))


@app.command()
def results(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of finished runs to add. If none is given, only the page is written.")
    ] = [],  # noqa: B006  # Typer does not modify it
    rows: Annotated[Path, typer.Option(help="Folder for the results of each run.")] = Path("train/results"),
    to: Annotated[Path, typer.Option(help="Page to write.")] = Path("train/RESULTS.md"),
) -> None:
    """Summarise all runs on one page, with mean and range over the seeds of each recipe."""
    with exit_codes(PROGRAM):
        written = _load("release.results").write_results(runs, rows, to)
        echo(f"{to}: {len(written)} runs")


def _layout(class_folder: list[str] | None, patients: Path | None) -> object:
    index = _load("data.index")
    folders = index.parse_class_folders(class_folder or [])
    return index.Layout(folders, None if patients is None else index.read_patients(patients))


def _weights(weights: str) -> str:
    return weights if weights in ("imagenet", "none") else os.path.realpath(weights)


def _absolute(path: Path | None) -> str | None:
    return None if path is None else os.path.realpath(path)  # Path.resolve refuses circular links


def _load(module: str) -> ModuleType:
    try:
        with import_quietly():
            loaded = import_module(f"pneumo_train.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name).partition(".")[0], "train") from None
    raise_if_interrupted()
    return loaded
