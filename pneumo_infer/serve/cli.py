"""The entry point of pneumo-serve. Each service registers its command here, and imports its packages only when run."""

from __future__ import annotations

import typer

from pneumo_infer.cli.usage_errors import PrintableGroup
from pneumo_infer.serve.dicom.command import serve_dicom
from pneumo_infer.serve.http.command import serve_http

app = typer.Typer(cls=PrintableGroup, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _services() -> None:
    """Classify chest X-ray films as a service.

    Decision support for research, not a cleared medical device.
    """


app.command("http")(serve_http)
app.command("dicom")(serve_dicom)


def main() -> None:
    """Run pneumo-serve. Exit code 0: stopped by a signal; 2: usage error, or the service cannot start."""
    app()
