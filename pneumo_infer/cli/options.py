"""The command-line options of pneumo-infer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pneumo_infer import __version__
from pneumo_infer.cli.command import SAMPLES, Command
from pneumo_infer.cli.model_options import MEGABYTE, DeviceOption, ModelOption, ThresholdOption
from pneumo_infer.cli.output.records import Format
from pneumo_infer.cli.usage_errors import PrintableErrors
from pneumo_infer.limits import LIMITS, MAX_BATCH, MAX_THREADS, Limits

app = typer.Typer(pretty_exceptions_enable=False)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.command(cls=PrintableErrors)
def infer(
    films: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE...", help="Films: files, folders, globs, or - for standard input."),
    ] = None,
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    device: DeviceOption = Command.device,
    threads: Annotated[
        int | None, typer.Option(min=1, max=MAX_THREADS, help="CPU threads. Default: all available CPUs.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, max=MAX_BATCH, help="Films per run of the network.")
    ] = Command.batch_size,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Command.form,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file instead of standard output. It appears once it is complete.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="Append to this file and skip films that already have a record in it."),
    ] = None,
    heatmap: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each film as PNG with the evidence drawn over it.")
    ] = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Reject films with more pixels.")] = LIMITS.pixels,
    max_bytes: Annotated[int, typer.Option(min=1, help="Reject files with more bytes.")] = LIMITS.encoded_bytes,
    max_memory: Annotated[
        int, typer.Option(min=1, metavar="MB", help="Reject films whose reading takes more memory.")
    ] = LIMITS.memory // MEGABYTE,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="Read films in processes with limited memory and time.")
    ] = False,
    max_seconds: Annotated[
        int, typer.Option(min=1, help="With --isolate: CPU time for reading a film.")
    ] = LIMITS.seconds,
    demo: Annotated[bool, typer.Option("--demo", help="Classify the two packaged sample films.")] = False,
    info: Annotated[bool, typer.Option("--info", help="Describe the installation and the model.")] = False,
    drift: Annotated[
        bool,
        typer.Option(
            "--drift",
            help="Check whether films, or records in .jsonl files, look like the model's validation films. "
            "Exit code 0: they do; 1: they do not; 3: too few films.",
        ),
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say step by step how each film was read and decided.")
    ] = False,
    save_inputs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --explain: write what the network sees, as PNG.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Classify chest X-ray films as NORMAL or PNEUMONIA.

    Decision support for research, not a cleared medical device.
    """
    arguments = (*(films or []), *([str(SAMPLES)] if demo else []))
    if not arguments and not info:
        raise typer.BadParameter("give a film, a folder of films, - for standard input, or --demo")
    if resume and output:
        raise typer.BadParameter("not allowed with --output", param_hint="--resume")
    if drift and (threshold or resume or heatmap or info):
        raise typer.BadParameter("not allowed with --threshold, --resume, --heatmap or --info", param_hint="--drift")
    if drift and form in (Format.JSONL, Format.CSV):
        raise typer.BadParameter("supports only --format table and json", param_hint="--drift")
    if explain and (resume or heatmap or info or drift or form is Format.CSV):
        problem = "cannot be combined with --resume, --heatmap, --info, --drift or --format csv"
        raise typer.BadParameter(problem, param_hint="--explain")
    if isolate and (explain or heatmap):  # which read films again, in this process
        raise typer.BadParameter("cannot be combined with --explain or --heatmap", param_hint="--isolate")
    if save_inputs and not explain:
        raise typer.BadParameter("needs --explain", param_hint="--save-inputs")
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
        limits=Limits(max_pixels, max_bytes, max_memory * MEGABYTE, max_seconds),
        isolate=isolate,
        info=info,
        drift=drift,
        explain=explain,
        save_inputs=save_inputs,
    )
    raise typer.Exit(command.run())
