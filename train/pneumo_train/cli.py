"""The entry point of pneumo-train. It imports little, because an interrupt until then ends with a traceback."""

from __future__ import annotations

from collections.abc import Callable

from pneumo_train.program import run_program


def main() -> None:
    """Run pneumo-train. The exit code is 0 on success, 2 on an error and 130 on an interrupt."""
    run_program("pneumo-train", _load)


def _load() -> Callable[[], object]:
    from pneumo_train.commands import app
    from pneumo_train.malloc_tuning import keep_freed_memory

    keep_freed_memory()
    return app
