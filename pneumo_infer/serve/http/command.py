"""The options of `pneumo-serve http`."""

from __future__ import annotations

from typing import Annotated

import typer

from pneumo_infer.cli.exit_codes import exit_codes


def serve_http(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 8000,
) -> None:
    """Serve predictions over HTTP, with a page for people."""
    with exit_codes("pneumo-serve", lambda: "stopped"):
        raise NotImplementedError(f"{host}:{port}")
