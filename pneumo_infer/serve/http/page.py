"""The page for people, the sample films that it offers, and the documentation of the API."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import Response

from pneumo_infer.cli.command import SAMPLES
from pneumo_infer.serve.http.documentation import write_documentation

STATIC = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


def add_page(app: FastAPI) -> None:
    """Add the page and what belongs to it to an app that has all its other routes."""
    for address, file in {
        "/": STATIC / "index.html",
        "/page.css": STATIC / "page.css",
        "/page.js": STATIC / "page.js",
        "/icon.svg": STATIC / "icon.svg",
        "/samples/normal.png": SAMPLES / "normal.png",
        "/samples/pneumonia.png": SAMPLES / "pneumonia.png",
    }.items():
        _add(app, address, file.read_bytes(), MEDIA_TYPES[file.suffix])
    _add(app, "/docs", write_documentation(app.openapi()).encode(), MEDIA_TYPES[".html"])


def _add(app: FastAPI, address: str, content: bytes, media_type: str) -> None:
    async def send() -> Response:
        return Response(content, media_type=media_type)

    app.add_api_route(address, send, methods=["GET", "HEAD"], include_in_schema=False)
