"""pneumo-infer: the command line. Nothing heavy is imported before there is a film to read."""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from pneumo_infer import __version__
from pneumo_infer.errors import PneumoError
from pneumo_infer.records import Format, write_records

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier
    from pneumo_infer.prediction import Prediction

SAMPLES = Path(__file__).parent / "samples"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class DeviceChoice(StrEnum):
    """Where the model may run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def main() -> None:
    """Run pneumo-infer: exit 0 if all films were read, 1 if some were not, 2 if it was called wrongly."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def infer(
    films: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE...", help="Films: files, folders, globs, or - for standard input."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="An ONNX file of pneumo-export; the one that ships if left out.")
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(metavar="NUMBER|NAME", help="A probability, or an operating point of the model.")
    ] = None,
    device: Annotated[DeviceChoice, typer.Option(help="auto takes CUDA where it comes up.")] = DeviceChoice.AUTO,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; all processors if left out.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Films that go through the network at once.")] = 16,
    form: Annotated[Format, typer.Option("--format", help="How records are written.")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the records to this file, whole or not at all.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Read the two sample films that ship.")] = False,
    info: Annotated[bool, typer.Option("--info", help="Describe this installation and the model.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read chest X-ray films: NORMAL or PNEUMONIA. Decision support for research, not a cleared medical device."""
    arguments = [*(films or []), *([str(SAMPLES)] if demo else [])]
    if not arguments and not info:
        raise typer.BadParameter("give a film, a folder of films, - for standard input, or --demo")
    if as_json:
        form = Format.JSON
    # A film beyond Pillow's own limit is reported in its record; a warning would say it twice.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        classifier = _open_classifier(model, device, threads, threshold)
        if info:
            _print_info(classifier, form)
        failed = _read_films(classifier, arguments, batch_size, form, output) if arguments else 0
    except PneumoError as error:
        typer.echo(f"pneumo-infer: {error}", err=True)
        raise typer.Exit(2) from None
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    raise typer.Exit(1 if failed else 0)


def _open_classifier(
    model: Path | None, device: DeviceChoice, threads: int | None, threshold: str | None
) -> Classifier:
    from pneumo_infer.classifier import Classifier

    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", RuntimeWarning)
        classifier = Classifier(model, device=device.value, threads=threads, threshold=_number_or_name(threshold))
    for warning in raised:
        typer.echo(f"pneumo-infer: {warning.message}", err=True)
    return classifier


def _number_or_name(threshold: str | None) -> float | str | None:
    try:
        return None if threshold is None else float(threshold)
    except ValueError:
        return threshold


def _print_info(classifier: Classifier, form: Format) -> None:
    import json

    from pneumo_infer.info import as_text, describe

    description = describe(classifier)
    typer.echo(json.dumps(description) if form is Format.JSON else as_text(description), nl=form is Format.JSON)


def _read_films(
    classifier: Classifier, arguments: list[str], batch_size: int, form: Format, output: Path | None
) -> int:
    from pneumo_infer.inputs import expand

    counts: Counter[str] = Counter()
    with _destination(output) as out:
        write_records(_counted(classifier.predict_many(expand(arguments), batch_size), counts), form, out)
    if form is Format.TABLE:
        point = classifier.operating_point or "your own"
        summary = ", ".join(f"{count} {label}" for label, count in sorted(counts.items()))
        typer.echo(
            f"{summary}; PNEUMONIA from {classifier.threshold:.4f} on ({point}), "
            f"{classifier.model.path.name} on {classifier.device}",
            err=True,
        )
    return counts["failed"]


def _counted(predictions: Iterable[Prediction], counts: Counter[str]) -> Iterator[Prediction]:
    for prediction in predictions:
        counts[prediction.label or "failed"] += 1
        yield prediction


@contextmanager
def _destination(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    from pneumo_infer.files import write_whole

    try:
        with write_whole(output) as file:
            yield file
    except OSError as error:
        raise PneumoError(str(output), f"cannot be written ({error.strerror})", "name another --output") from error
