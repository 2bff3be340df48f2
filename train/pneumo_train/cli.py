"""pneumo-train: the command line of training."""

from __future__ import annotations

import sys
from datetime import datetime
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


@app.command()
def train(
    data: Annotated[
        Path, typer.Option(help="Folder with train/NORMAL, train/PNEUMONIA, and perhaps val and test.")
    ] = Path("chest_xray"),
    recipe: Annotated[str, typer.Option(help="A built-in recipe's name, or a TOML file.")] = "finetune",
    weights: Annotated[str, typer.Option(help="imagenet, none, or a no-top ResNet50 weights file.")] = "imagenet",
    output: Annotated[Path | None, typer.Option(help="The run's folder; runs/RECIPE-TIME if left out.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this run; the other options are the run's own.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where decoded films are kept; the user's cache folder if left out.")
    ] = None,
) -> None:
    """Train a classifier of chest films: NORMAL or PNEUMONIA."""
    folder = resume or output or Path("runs") / f"{Path(recipe).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    try:
        run = _load_run()
        if resume:
            run.resume_run(folder)
        else:
            options = run.RunOptions(
                data=str(data.resolve()),
                recipe=recipe,
                weights=weights if weights in ("imagenet", "none") else str(Path(weights).resolve()),
                cache=None if cache is None else str(cache.resolve()),
            )
            run.start_run(folder, options)
    except PneumoError as error:
        typer.echo(f"pneumo-train: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo(f"\npneumo-train: interrupted; go on with: pneumo-train --resume {folder}", err=True)
        sys.exit(130)


def _load_run() -> ModuleType:
    try:
        with quiet_import():
            from pneumo_train import run
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name).partition(".")[0], "train") from None
    return run
