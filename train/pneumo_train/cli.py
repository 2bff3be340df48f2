"""The entry point of pneumo-train. It imports little, see `pneumo_infer.cli.start`."""

from __future__ import annotations

from pneumo_infer.cli.start import run_program


def main() -> None:
    """Run pneumo-train. The exit code is 0 on success, 2 on an error and 130 on an interrupt."""
    run_program("pneumo-train", _run)


def _run() -> None:
    from pneumo_infer.cli.streams import standard_streams

    with standard_streams("pneumo-train"):
        from pneumo_train.commands import app
        from pneumo_train.malloc_tuning import keep_freed_memory

        keep_freed_memory()
        app()
