"""pneumo-train: the command line of training."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from pneumo_infer.errors import MissingExtraError, PneumoError
from pneumo_train.import_quietly import import_quietly
from pneumo_train.malloc_tuning import keep_freed_memory

CLASS_FOLDER = typer.Option(
    "--class-folder", metavar="LABEL=FOLDER", help="Where a class lies, if not in NORMAL or PNEUMONIA; repeatable."
)
RECIPE = typer.Option(help="A built-in recipe's name, or a TOML file.")
SETTINGS = typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the recipe; repeatable.")
WEIGHTS = typer.Option(help="imagenet, none, or a no-top weights file; the recipe's own, mostly imagenet, if left out.")
SPLIT_FILE = typer.Option("--split", help="A split.csv to keep to; that of the data folder if it has one.")
MIXED_PRECISION = typer.Option("--mixed-precision", help="Compute in bfloat16, for GPUs and processors that have it.")
PATIENTS = typer.Option(help="CSV file with columns path, patient, where file names do not say who the patient is.")
OOD_FILMS = typer.Option(help="Folder of films that the model is not made for, a sub-folder for each kind.")
CACHE = typer.Option(help="Where decoded films are kept; the user's cache folder if left out.")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Distribute(StrEnum):
    """Ways to train on several devices."""

    NONE = "none"
    DATA = "data"


def main() -> None:
    """Run pneumo-train: exit 0 when trained, 2 when it was called wrongly, 130 when interrupted."""
    keep_freed_memory()
    app()


@app.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    data: Annotated[
        Path, typer.Option(help="Folder with train/NORMAL, train/PNEUMONIA, and perhaps val and test.")
    ] = Path("chest_xray"),
    recipe: Annotated[str, RECIPE] = "finetune",
    settings: Annotated[list[str] | None, SETTINGS] = None,
    weights: Annotated[str | None, WEIGHTS] = None,
    output: Annotated[Path | None, typer.Option(help="The run's folder; runs/RECIPE-TIME if left out.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run; the other options are the run's own.")
    ] = None,
    class_folder: Annotated[list[str] | None, CLASS_FOLDER] = None,
    patients: Annotated[Path | None, PATIENTS] = None,
    split_file: Annotated[Path | None, SPLIT_FILE] = None,
    mixed_precision: Annotated[bool, MIXED_PRECISION] = False,
    distribute: Annotated[
        Distribute, typer.Option(help="data shares each batch among all GPUs of the machine.")
    ] = Distribute.NONE,
    ood_films: Annotated[Path | None, OOD_FILMS] = None,
    known_films: Annotated[
        Path | None, typer.Option(help="Folder of more films of the known kind, as other programs export them.")
    ] = None,
    cache: Annotated[Path | None, CACHE] = None,
) -> None:
    """Train a classifier of chest films: NORMAL or PNEUMONIA."""
    if context.invoked_subcommand:
        return
    folder = resume or output or Path("runs") / f"{Path(recipe).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    with _reported(on_interrupt=f"go on with: pneumo-train --resume {folder}"):
        run = _load("training.run")
        if resume:
            run.resume_run(folder)
            return
        chosen = _load("recipe").read_recipe(recipe, settings or [])
        options = run.RunOptions(
            data=str(data.resolve()),
            recipe=recipe,
            settings=tuple(settings or ()),
            weights=_weights(weights or chosen.network.weights),
            class_folders=tuple(class_folder or ()),
            patients=_absolute(patients),
            split=_absolute(split_file),
            mixed_precision=mixed_precision,
            distribute=distribute.value,
            cache=_absolute(cache),
            known_films=_absolute(known_films),
            ood_films=_absolute(ood_films),
        )
        run.start_run(folder, chosen, options)


@app.command()
def leave_one_style_out(
    data: Annotated[Path, typer.Option(help="Folder of films, as for training.")] = Path("chest_xray"),
    recipe: Annotated[str, RECIPE] = "finetune",
    settings: Annotated[list[str] | None, SETTINGS] = None,
    weights: Annotated[str | None, WEIGHTS] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the trainings and results; continues with what is there.")
    ] = None,
    clusters: Annotated[
        list[int] | None,
        typer.Option(help="Styles to leave out, by number; repeatable; if none is named, all with 40 NORMAL films."),
    ] = None,
    class_folder: Annotated[list[str] | None, CLASS_FOLDER] = None,
    patients: Annotated[Path | None, PATIENTS] = None,
    split_file: Annotated[Path | None, SPLIT_FILE] = None,
    mixed_precision: Annotated[bool, MIXED_PRECISION] = False,
    cache: Annotated[Path | None, CACHE] = None,
) -> None:
    """Train a recipe without the NORMAL films of one acquisition style after another, and measure it on these."""
    folder = output or Path("runs") / f"styles-{Path(recipe).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    with _reported(on_interrupt=f"go on with: the same command and --output {folder}"):
        study, chosen = _load("style.leave_one_out"), _load("recipe").read_recipe(recipe, settings or [])
        options = _load("training.run").RunOptions(
            data=str(data.resolve()),
            recipe=recipe,
            settings=tuple(settings or ()),
            weights=_weights(weights or chosen.network.weights),
            class_folders=tuple(class_folder or ()),
            patients=_absolute(patients),
            split=_absolute(split_file),
            mixed_precision=mixed_precision,
            cache=_absolute(cache),
        )
        study.print_summary(study.leave_one_style_out(folder, chosen, options, clusters or []))
        typer.echo(f"results: {folder / study.SUMMARY_FILE}")


@app.command()
def recipes() -> None:
    """List the recipes that ship, a line each."""
    with _reported():
        for name, recipe in _load("recipe").builtin_recipes().items():
            typer.echo(f"{name:12} {recipe.summary}")


@app.command()
def split(
    to: Annotated[Path, typer.Option(help="Folder to write train, val and test to; new or empty.")],
    data: Annotated[Path, typer.Option(help="Folder of films, as for training.")] = Path("chest_xray"),
    ratios: Annotated[str, typer.Option(help="Shares of training, validation and test films.")] = "80/10/10",
    seed: Annotated[int, typer.Option(help="The same films, ratios and seed give the same split.")] = 42,
    class_folder: Annotated[list[str] | None, CLASS_FOLDER] = None,
    patients: Annotated[Path | None, PATIENTS] = None,
    cache: Annotated[Path | None, CACHE] = None,
) -> None:
    """Deal films out by patient and class to train, val and test folders, with a split.csv that training keeps to."""
    with _reported():
        films = _load("data.split_folders").split_into_folders(
            data, _layout(class_folder, patients), ratios, seed, to, cache
        )
        typer.echo(f"{len(films)} films in {to}; train on them with: pneumo-train --data {to}")


class Films(StrEnum):
    """Films that a model can be measured on."""

    TEST = "test"
    VALIDATION = "validation"
    ALL = "all"


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="A .keras file of pneumo-train, or an .onnx file of pneumo-export.")],
    data: Annotated[Path, typer.Option(help="Folder of films, as for training.")] = Path("chest_xray"),
    operating_point: Annotated[
        str | None, typer.Option(help="Whose threshold decides the labels; the model's default one if left out.")
    ] = None,
    films: Annotated[
        Films, typer.Option("--split", help="Which films of the model's own split, or of the folder, to measure on.")
    ] = Films.TEST,
    corruptions: Annotated[bool, typer.Option(help="Measure under corruptions that real films suffer too.")] = True,
    output: Annotated[
        Path | None, typer.Option(help="Folder of metrics.json and report.html; evaluation-MODEL beside the model.")
    ] = None,
    class_folder: Annotated[list[str] | None, CLASS_FOLDER] = None,
    patients: Annotated[Path | None, PATIENTS] = None,
    ood_films: Annotated[Path | None, OOD_FILMS] = None,
    cache: Annotated[Path | None, CACHE] = None,
) -> None:
    """Measure a model: metrics.json, and report.html with every figure, plot and missed film."""
    folder = output or model.with_name(f"evaluation-{model.stem}")
    with _reported():
        done = _load("evaluation.evaluate").evaluate(
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
        point = done.metrics["operating_points"][done.operating_point]
        typer.echo(
            f"{done.operating_point}: sensitivity {point['sensitivity']:.3f}, specificity {point['specificity']:.3f}, "
            f"accuracy {point['accuracy']:.3f}; ROC AUC {done.metrics['auc']:.4f}"
        )
        typer.echo(f"report: {folder / 'report.html'}")


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    to: Annotated[Path, typer.Option(help="Folder to copy to.")] = Path("models"),
    name: Annotated[str, typer.Option(help="Of the model's files: NAME.keras and NAME.json.")] = "pneumo-resnet50",
) -> None:
    """Copy a finished run's model and records to where models are kept, without this machine's paths."""
    with _reported():
        for file in _load("release.publish").publish_run(run, to, name):
            typer.echo(file)


@app.command()
def results(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of finished runs to add; without any, only the page is written.")
    ] = [],  # noqa: B006  # typer's
    rows: Annotated[Path, typer.Option(help="Where a row of each run is kept.")] = Path("train/results"),
    to: Annotated[Path, typer.Option(help="The page to write.")] = Path("train/RESULTS.md"),
) -> None:
    """Write one page of all runs: mean and range over the seeds of each recipe."""
    with _reported():
        kept = _load("release.results").write_results(runs, rows, to)
        typer.echo(f"{to}: {len(kept)} runs")


def _layout(class_folder: list[str] | None, patients: Path | None) -> object:
    dataset = _load("data.index")
    folders = dataset.parse_class_folders(class_folder or [])
    return dataset.Layout(folders, None if patients is None else dataset.read_patients(patients))


def _weights(given: str) -> str:
    return given if given in ("imagenet", "none") else str(Path(given).resolve())


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


@contextmanager
def _reported(on_interrupt: str = "nothing was written") -> Iterator[None]:
    try:
        yield
    except PneumoError as error:
        typer.echo(f"pneumo-train: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo(f"\npneumo-train: interrupted; {on_interrupt}", err=True)
        sys.exit(130)


def _load(module: str) -> ModuleType:
    try:
        with import_quietly():
            return import_module(f"pneumo_train.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name).partition(".")[0], "train") from None
