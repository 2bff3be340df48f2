"""The OpenAPI description of the service as a page. Ready-made viewers load scripts from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

CURL = {
    "/v1/predictions": "curl -F film=@film.png -F film=@film.dcm '{url}?threshold=screening'",
    "/v1/overlays": "curl --data-binary @film.png -o overlay.png '{url}'",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>pneumo-infer: API</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page.css">
</head>
<body class="docs">
<header class="top"><img src="icon.svg" alt="" width="40" height="40">
<div><h1>{title}, API</h1><p>{description}</p></div>
<p><a href="./">Page</a> · <a href="openapi.json">openapi.json</a></p></header>
<main>
{sections}
</main>
</body>
</html>
"""


def write_documentation(openapi: dict[str, Any]) -> str:
    """Return HTML that describes each operation, with examples."""
    sections = [
        _operation(address, method, operation)
        for address, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    info = openapi["info"]
    return PAGE.format(
        title=escape(f"{info['title']} {info['version']}"),
        description=escape(info["description"]),
        sections="\n".join(sections),
    )


def _operation(address: str, method: str, operation: dict[str, Any]) -> str:
    command = CURL.get(address, "curl '{url}'").format(url=f"http://127.0.0.1:8000{address}")
    parts = [
        f"<section><h2><code>{method.upper()} {escape(address)}</code> {escape(operation['summary'])}</h2>",
        *(f"<p>{escape(paragraph)}</p>" for paragraph in operation["description"].split("\n\n")),
        f"<pre tabindex='0'>{escape(command)}</pre>",
        _definitions("Parameters", [(p["name"], p["description"]) for p in operation.get("parameters", [])]),
        _definitions("Answers", [(status, answer["description"]) for status, answer in operation["responses"].items()]),
        *(f"<h3>{escape(name)}</h3><pre tabindex='0'>{escape(text)}</pre>" for name, text in _examples(operation)),
    ]
    return "\n".join([*filter(None, parts), "</section>"])


def _definitions(heading: str, entries: list[tuple[str, str]]) -> str:
    items = "".join(f"<dt><code>{escape(name)}</code></dt><dd>{escape(text)}</dd>" for name, text in entries)
    return f"<h3>{heading}</h3><dl>{items}</dl>" if entries else ""


def _examples(operation: dict[str, Any]) -> list[tuple[str, str]]:
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    examples = {name: example["value"] for name, example in content.get("examples", {}).items()}
    if "example" in content:
        examples["example"] = content["example"]
    return [(f"Answer: {name}", json.dumps(value, indent=2, ensure_ascii=False)) for name, value in examples.items()]
