"""What the commands print to standard error: messages, warnings and progress bars."""

from __future__ import annotations

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

console = Console(stderr=True)


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
