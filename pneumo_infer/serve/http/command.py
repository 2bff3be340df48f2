"""The options of `pneumo-serve http`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

import typer

from pneumo_infer.cli.command import DeviceChoice
from pneumo_infer.cli.exit_codes import exit_codes
from pneumo_infer.cli.model_options import MEGABYTE, DeviceOption, ModelOption, ThresholdOption
from pneumo_infer.errors import MissingExtraError, PneumoError
from pneumo_infer.limits import LIMITS, Limits

SHORTEST_TOKEN = 16  # characters


def serve_http(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(envvar="PNEUMO_TOKEN", help="Token that requests must carry. Others on this machine can see it."),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File with the token that requests must carry.")] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Let anyone who can reach the address use it.")] = False,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help="Let web pages of this origin use it (CORS).")
    ] = None,
    ssl_certfile: Annotated[Path | None, typer.Option(help="TLS certificate, PEM.")] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="TLS key, PEM.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve, each with its own model.")] = 1,
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    device: DeviceOption = DeviceChoice.AUTO,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads per process. Default: the CPUs, shared by all processes.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Films per run of the network, at most.")] = 16,
    max_request: Annotated[int, typer.Option(min=1, metavar="MB", help="Refuse larger requests.")] = 100,
    max_films: Annotated[int, typer.Option(min=1, help="Refuse requests with more films.")] = 64,
    max_pixels: Annotated[int, typer.Option(min=1, help="Reject films with more pixels.")] = LIMITS.pixels,
    max_memory: Annotated[
        int, typer.Option(min=1, metavar="MB", help="Reject films whose reading takes more memory.")
    ] = LIMITS.memory // MEGABYTE,
    max_seconds: Annotated[
        int, typer.Option(min=1, help="Reject films whose reading takes more CPU time.")
    ] = LIMITS.seconds,
    isolate: Annotated[
        bool, typer.Option("--isolate/--no-isolate", help="Read films in processes with limited memory and time.")
    ] = True,
    queue_requests: Annotated[int, typer.Option(min=1, help="Requests per process at a time.")] = 128,
    queue_size: Annotated[int, typer.Option(min=1, metavar="MB", help="Size of these requests together.")] = 256,
    client_seconds: Annotated[int, typer.Option(min=1, help="Cut off clients that stall for longer.")] = 10,
    answer_seconds: Annotated[int, typer.Option(min=1, help="Time for an answer.")] = 60,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log only warnings and errors.")] = False,
) -> None:
    """Serve predictions over HTTP, with a page for people.

    Decision support for research, not a cleared medical device.
    """
    with exit_codes("pneumo-serve", lambda: "stopped"):
        _require_extra()
        from pneumo_infer.cpu_count import cpu_count
        from pneumo_infer.decision import number_or_name
        from pneumo_infer.serve.http.server import Listener, run
        from pneumo_infer.serve.http.settings import Settings, digest

        secret = _read_token(token, token_file)
        local = is_loopback(host)
        if not (secret or no_auth or local):
            remedy = "give --token-file or --token, or --no-auth if that is intended"
            raise PneumoError(f"--host {host}", "lets other machines send films without a token", remedy)
        if bool(ssl_certfile) != bool(ssl_keyfile):
            raise PneumoError("TLS", "needs both a certificate and a key", "give --ssl-certfile and --ssl-keyfile")
        settings = Settings(
            model=None if model is None else str(model),
            device=device.value,
            threads=threads or max(1, cpu_count() // workers),
            threshold=number_or_name(threshold),
            limits=Limits(max_pixels, max_request * MEGABYTE, max_memory * MEGABYTE, max_seconds),
            isolate=isolate,
            batch_size=batch_size,
            max_films=max_films,
            queue_requests=queue_requests,
            queue_bytes=max(queue_size, max_request) * MEGABYTE,
            client_seconds=client_seconds,
            answer_seconds=answer_seconds,
            token_digest=digest(secret) if secret else None,
            local_only=local and not secret and not no_auth,
            origins=tuple(allow_origin or ()),
        )
        certificate, key = (None if path is None else str(path) for path in (ssl_certfile, ssl_keyfile))
        run(settings, Listener(host, port, workers, certificate, key, "warning" if quiet else "info"))


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_token(token: str | None, file: Path | None) -> str | None:
    if token is not None and file is not None:
        raise PneumoError("--token", "is given twice", "give either --token or --token-file")
    if file is not None:
        token = file.read_text(encoding="utf-8").strip()
    if token is not None and len(token) < SHORTEST_TOKEN:
        remedy = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"
        raise PneumoError("the token", f"has fewer than {SHORTEST_TOKEN} characters", remedy)
    return token


def _require_extra() -> None:
    for package in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        try:
            __import__(package)
        except ModuleNotFoundError as error:
            raise MissingExtraError(package, "serve") from error
