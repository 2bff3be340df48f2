"""pneumo-infer: the command line. Nothing heavy is imported before there is a film to read."""

from __future__ import annotations

import os
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumo_infer import __version__
from pneumo_infer.destination import Destination
from pneumo_infer.errors import PneumoError
from pneumo_infer.limits import LIMITS, Limits
from pneumo_infer.records import Format, write_records
from pneumo_infer.resume import finished_films
from pneumo_infer.terminal import Tally, say, watching

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier

SAMPLES = Path(__file__).parent / "samples"

app = typer.Typer(pretty_exceptions_enable=False)


class DeviceChoice(StrEnum):
    """Where the model may run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def main() -> None:
    """Run pneumo-infer.

    Exit 0 if all films were read, 1 if some were not, 2 if it was called wrongly, 130 if it was interrupted.
    """
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
        Path | None,
        typer.Option(envvar="PNEUMO_MODEL", help="An ONNX file of pneumo-export; the one that ships if left out."),
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(metavar="NUMBER|NAME", help="A probability, or an operating point of the model.")
    ] = None,
    device: Annotated[
        DeviceChoice, typer.Option(envvar="PNEUMO_DEVICE", help="auto takes CUDA where it comes up.")
    ] = DeviceChoice.AUTO,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; all processors if left out.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Films that go through the network at once.")] = 16,
    form: Annotated[Format, typer.Option("--format", help="How records are written.")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write the records to this file, which takes its name once it is whole.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="Append records to this file, and skip the films that it has."),
    ] = None,
    heatmap: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each film with the evidence drawn over it, as PNG.")
    ] = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Films with more are refused.")] = LIMITS.pixels,
    max_bytes: Annotated[int, typer.Option(min=1, help="Files with more are refused.")] = LIMITS.encoded_bytes,
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
    if resume:
        if output:
            raise typer.BadParameter("writes to its own file; leave --output out", param_hint="--resume")
        form = Format.JSONL
    destination = Destination(form, output, resume)
    # A film beyond Pillow's own limit is reported in its record; a warning would say it twice.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        classifier = _open_classifier(model, device, threads, threshold, Limits(max_pixels, max_bytes))
        if info:
            _print_info(classifier, form)
        flawed = arguments and _read_films(classifier, arguments, batch_size, destination, heatmap)
    except PneumoError as error:
        say(error)
        raise typer.Exit(2) from None
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        say(f"interrupted; {destination.what_is_left()}")
        raise typer.Exit(130) from None
    raise typer.Exit(1 if flawed else 0)


def _open_classifier(
    model: Path | None, device: DeviceChoice, threads: int | None, threshold: str | None, limits: Limits
) -> Classifier:
    from pneumo_infer.classifier import Classifier

    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always", RuntimeWarning)
        classifier = Classifier(
            model, device=device.value, threads=threads, threshold=_number_or_name(threshold), limits=limits
        )
    for warning in raised:
        say(warning.message)
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
    classifier: Classifier, arguments: list[str], batch_size: int, destination: Destination, heatmap: Path | None
) -> bool:
    """Read all films; True if something of it failed."""
    from pneumo_infer.images import source_name
    from pneumo_infer.inputs import expand

    films = list(expand(arguments))
    if destination.resume:
        finished = finished_films(destination.resume, classifier)
        films = [film for film in films if source_name(film) not in finished]
    tally = Tally()
    with watching(len(films)) as pass_on:
        predictions = pass_on(tally.count(classifier.predict_many(films, batch_size)))
        if heatmap:
            from pneumo_infer.overlays import write_overlays

            predictions = write_overlays(predictions, films, heatmap, classifier.limits, tally.overlay_failed)
        with destination.open() as out:
            write_records(predictions, destination.form, out)
    if destination.form is Format.TABLE:
        say(tally.closing_line(classifier))
    return bool(tally.failed or tally.overlays_failed)
