"""Write files atomically: a reader sees the complete file or none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`, and rename it to `path` if the block succeeds."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: Path) -> Iterator[TextIO]:
    """Open a text file that appears under its final name only once it is complete."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        yield file


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON atomically, with keys in the given order."""
    with atomic_write(path) as file:
        json.dump(content, file, indent=2)
        file.write("\n")
