"""What the commands print to standard error: messages, warnings and progress bars."""

from __future__ import annotations

from contextlib import suppress

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pneumo_infer.printable import printable

# No markup: file names may contain brackets.
console = Console(stderr=True, markup=False, emoji=False, highlight=False)


def print_line(text: str, style: str | None = None) -> None:
    """Print one line; characters that would control the terminal are escaped. If stderr is full, the line is lost."""
    with suppress(OSError):
        console.print(printable(text), style=style, soft_wrap=True)


def progress_bar(*last: ProgressColumn) -> Progress:
    """Create a progress bar with count, elapsed time and the columns `last` (default: time remaining).

    It is hidden if stderr is not a terminal.
    """
    # rich sets this when it is imported, but import_quietly redirects stderr at that time.
    console.is_interactive = console.is_terminal
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *(last or [TimeRemainingColumn()]),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
