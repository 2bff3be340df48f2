"""The options of pneumo-infer, laid out with typer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pneumo_infer import __version__
from pneumo_infer.cli.command import SAMPLES, Command, DeviceChoice
from pneumo_infer.cli.records import Format
from pneumo_infer.limits import LIMITS, Limits

app = typer.Typer(pretty_exceptions_enable=False)


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
    ] = Command.device,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; all processors if left out.")] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Films that go through the network at once.")
    ] = Command.batch_size,
    form: Annotated[Format, typer.Option("--format", help="How records are written.")] = Command.form,
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
    drift: Annotated[
        bool,
        typer.Option(
            "--drift",
            help="Say whether films, or the records of earlier .jsonl files, look like those that the model was "
            "measured on. Exit code 0: they do; 1: they do not; 3: too few films.",
        ),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read chest X-ray films: NORMAL or PNEUMONIA. Decision support for research, not a cleared medical device."""
    arguments = (*(films or []), *([str(SAMPLES)] if demo else []))
    if not arguments and not info:
        raise typer.BadParameter("give a film, a folder of films, - for standard input, or --demo")
    if resume and output:
        raise typer.BadParameter("writes to its own file; leave --output out", param_hint="--resume")
    if drift and (threshold or resume or heatmap or info):
        raise typer.BadParameter("leave --threshold, --resume, --heatmap and --info out", param_hint="--drift")
    if drift and form in (Format.JSONL, Format.CSV):
        raise typer.BadParameter("writes a table or --json", param_hint="--drift")
    command = Command(
        films=arguments,
        model=model,
        threshold=threshold,
        device=device,
        threads=threads,
        batch_size=batch_size,
        form=Format.JSONL if resume else Format.JSON if as_json else form,
        output=output,
        resume=resume,
        heatmap=heatmap,
        limits=Limits(max_pixels, max_bytes),
        info=info,
        drift=drift,
    )
    raise typer.Exit(command.run())
