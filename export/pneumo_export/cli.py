"""pneumo-export: the command line of export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumo_infer.errors import MissingExtraError, PneumoError
from pneumo_train.quiet import quiet_import

if TYPE_CHECKING:
    from pneumo_export.parity import Proof

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Target(StrEnum):
    """Formats that a model can be exported to."""

    ONNX = "onnx"


class Precision(StrEnum):
    """Precisions of the exported file."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    ALL = "all"


def main() -> None:
    """Run pneumo-export: exit 0 when proved and written, 1 when a proof failed, 2 when it was called wrongly."""
    app()


@app.command()
def export(
    to: Annotated[Target, typer.Option(help="The format to export to.")],
    model: Annotated[
        Path | None, typer.Option(help="A .keras file of pneumo-train; the latest of runs/ if left out.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="fp32 is the reference, fp16 for GPUs, int8 for CPUs.")
    ] = Precision.ALL,
    data: Annotated[Path | None, typer.Option(help="Where the run's films lie now, if not where they were.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write to; export/ beside the model if left out.")
    ] = None,
    least_films: Annotated[int, typer.Option(min=16, help="The proof takes at least this many held-out films.")] = 256,
) -> None:
    """Export a trained model, and prove on held-out films that the files answer as it does."""
    try:
        proofs = _export(model, precision, data, output, least_films)
    except MissingExtraError as error:
        _fail(error, 2)
    except PneumoError as error:
        from pneumo_export.errors import GraphError, ParityError

        _fail(error, 1 if isinstance(error, (GraphError, ParityError)) else 2)
    else:
        _print_gates(proofs)


def _export(
    model: Path | None, precision: Precision, data: Path | None, output: Path | None, least_films: int
) -> list[Proof]:
    try:
        with quiet_import():
            from pneumo_export.pipeline import PRECISIONS, export_onnx
            from pneumo_export.source import latest_model
            from pneumo_train.run import read_split
            from pneumo_train.trained import load_trained
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name).partition(".")[0], "export") from None
    path = model or latest_model(Path("runs"))
    source = load_trained(path)
    run = path.parent
    decoded = read_split(run, data)
    folder = output or run / "export"
    typer.echo(f"exporting {path} to {folder}", err=True)
    chosen = PRECISIONS if precision is Precision.ALL else (precision.value,)
    return export_onnx(source, decoded, folder, chosen, least_films)


def _fail(error: PneumoError, code: int) -> None:
    typer.echo(f"pneumo-export: {error}", err=True)
    raise typer.Exit(code) from None


def _print_gates(proofs: list[Proof]) -> None:
    for proof in proofs:
        typer.echo(f"{proof.precision}: proved on {proof.films} {proof.source} films")
        for gate in proof.gates:
            typer.echo(f"  {gate.name:46} {gate.value:10.3g}  limit {gate.limit:g}")
