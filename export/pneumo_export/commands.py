"""The commands of pneumo-export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumo_export.targets import FORMATS
from pneumo_infer.cli.exit_codes import exit_codes
from pneumo_infer.cli.start import raise_if_interrupted
from pneumo_infer.cli.streams import echo
from pneumo_infer.cli.usage_errors import PrintableGroup
from pneumo_infer.errors import MissingExtraError
from pneumo_train.import_quietly import import_quietly

if TYPE_CHECKING:
    from pneumo_export.parity.proof import Proof

app = typer.Typer(cls=PrintableGroup, add_completion=False, pretty_exceptions_enable=False)


class Precision(StrEnum):
    """The value of --precision."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    ALL = "all"


DATA = typer.Option(help="Folder with the films of the model's split, if they were moved after training.")
LEAST_FILMS = typer.Option(min=16, help="Minimum number of held-out films for the parity check.")


@app.callback(invoke_without_command=True)
def export(
    context: typer.Context,
    to: Annotated[str | None, typer.Option(help=f"Format to export to: {', '.join(FORMATS)}.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="A .keras file from pneumo-train; by default the latest one in runs/.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="fp32 is the reference, fp16 is for GPUs, int8 for CPUs.")
    ] = Precision.ALL,
    data: Annotated[Path | None, DATA] = None,
    output: Annotated[
        Path | None, typer.Option(help="Output folder; by default export/ (onnx) or triton/ next to the model.")
    ] = None,
    least_films: Annotated[int, LEAST_FILMS] = 256,
) -> None:
    """Export a trained model and check on held-out films that the files give the same results."""
    if context.invoked_subcommand:
        return
    if to not in FORMATS:
        raise typer.BadParameter(f"choose from {', '.join(FORMATS)}", param_hint="--to")
    with exit_codes("pneumo-export"):
        for proof in _export(to, model, precision, data, output, least_films):
            _print_gates(proof)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="An ONNX file from pneumo-export.")],
    against: Annotated[
        Path | None,
        typer.Option(help="The .keras file it was exported from, if not next to it or one folder up."),
    ] = None,
    data: Annotated[Path | None, DATA] = None,
    least_films: Annotated[int, LEAST_FILMS] = 256,
) -> None:
    """Repeat the parity check on an exported file."""
    with exit_codes("pneumo-export", lambda: f"{file} was not checked"):
        with _export_extra(), import_quietly():
            from pneumo_export.parity.recheck import DO_NOT_USE, check_file
        proof = check_file(file, against, data, least_films)
        _print_gates(proof)
        proof.require(DO_NOT_USE)


def _export(
    to: str, model: Path | None, precision: Precision, data: Path | None, output: Path | None, least_films: int
) -> list[Proof]:
    with _export_extra(), import_quietly():
        from pneumo_export.pipeline import PRECISIONS
        from pneumo_export.source import latest_model
        from pneumo_train.console import print_line
        from pneumo_train.model.trained import load_trained
        from pneumo_train.training.films import read_split

        target = import_module(f"pneumo_export.targets.{to}")
    path = model or latest_model(Path("runs"))
    source = load_trained(path)
    decoded = read_split(path.parent, data)
    folder = output or path.parent / target.FOLDER
    print_line(f"exporting {path} to {folder}")
    chosen = PRECISIONS if precision is Precision.ALL else (precision.value,)
    proofs: list[Proof] = target.export(source, decoded, folder, chosen, least_films)
    return proofs


@contextmanager
def _export_extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name).partition(".")[0], "export") from None
    raise_if_interrupted()


def _print_gates(proof: Proof) -> None:
    echo(f"{proof.precision}: {proof.films} {proof.source} films, compared with Keras")
    for gate in proof.gates:
        outcome = "ok" if gate.passed else "FAILED"
        echo(f"  {gate.name:58} {gate.value:10.3g}  limit {gate.limit:<7g} {outcome}")
