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
from pneumo_train.quiet import quiet_import

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    """Run pneumo-train: exit 0 when trained, 2 when it was called wrongly, 130 when interrupted."""
    app()


@app.callback(invoke_without_command=True)
def train(
    context: typer.Context,
    data: Annotated[
        Path, typer.Option(help="Folder with train/NORMAL, train/PNEUMONIA, and perhaps val and test.")
    ] = Path("chest_xray"),
    recipe: Annotated[str, typer.Option(help="A built-in recipe's name, or a TOML file.")] = "finetune",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value of the recipe; repeatable.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="imagenet, none, or a no-top weights file; the recipe's own, mostly imagenet, if left out."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The run's folder; runs/RECIPE-TIME if left out.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run; the other options are the run's own.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where decoded films are kept; the user's cache folder if left out.")
    ] = None,
) -> None:
    """Train a classifier of chest films: NORMAL or PNEUMONIA."""
    if context.invoked_subcommand:
        return
    folder = resume or output or Path("runs") / f"{Path(recipe).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    with _reported(on_interrupt=f"go on with: pneumo-train --resume {folder}"):
        run = _load("run")
        if resume:
            run.resume_run(folder)
            return
        chosen = _load("recipe").read_recipe(recipe, settings or [])
        start = weights or chosen.network.weights
        options = run.RunOptions(
            data=str(data.resolve()),
            recipe=recipe,
            settings=tuple(settings or ()),
            weights=start if start in ("imagenet", "none") else str(Path(start).resolve()),
            cache=None if cache is None else str(cache.resolve()),
        )
        run.start_run(folder, chosen, options)


@app.command()
def recipes() -> None:
    """List the recipes that ship, a line each."""
    with _reported():
        for name, recipe in _load("recipe").builtin_recipes().items():
            typer.echo(f"{name:12} {recipe.summary}")


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
    split: Annotated[
        Films, typer.Option(help="Which films of the model's own split, or of the test folder, to measure on.")
    ] = Films.TEST,
    stress: Annotated[bool, typer.Option(help="Measure under shifts that real films suffer too.")] = True,
    output: Annotated[
        Path | None, typer.Option(help="Folder of metrics.json and report.html; evaluation-MODEL beside the model.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Where decoded films are kept.")] = None,
) -> None:
    """Measure a model: metrics.json, and report.html with every figure, plot and missed film."""
    folder = output or model.with_name(f"evaluation-{model.stem}")
    with _reported():
        done = _load("evaluation").evaluate(model, data, folder, operating_point, split.value, stress, cache)
        point = done.metrics["operating_points"][done.operating_point]
        typer.echo(
            f"{done.operating_point}: sensitivity {point['sensitivity']:.3f}, specificity {point['specificity']:.3f}, "
            f"accuracy {point['accuracy']:.3f}; ROC AUC {done.metrics['auc']:.4f}"
        )
        typer.echo(f"report: {folder / 'report.html'}")


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
        with quiet_import():
            return import_module(f"pneumo_train.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name).partition(".")[0], "train") from None
