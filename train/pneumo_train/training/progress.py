"""Progress with time left, on a terminal as a bar and in a log as a line an epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
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

from pneumo_train.recipe import Phase
from pneumo_train.training.checkpoints import RunState
from pneumo_train.training.time_left import format_duration, seconds_left

console = Console(stderr=True)


def progress_bar(*last: ProgressColumn) -> Progress:
    """A bar with count, time spent and `last`, time left by default; it draws nothing where stderr is no terminal."""
    # rich asked this when it was imported, while import_quietly kept stderr away from the terminal.
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


class EpochProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows how far a phase is, in batches over all its epochs, and prints a line after each epoch.

    The line has the seconds of the epoch, and about how long the rest of the run takes, all phases to come included.

    Parameters
    ----------
    phase
        The phase that is being trained.
    planned
        All phases of the run, in order.
    journal
        What the run has done before; only read.
    batches
        Batches in an epoch.
    """

    def __init__(self, phase: Phase, planned: Sequence[Phase], state: RunState, batches: int) -> None:
        super().__init__()
        self.phase = phase
        self.planned = planned
        self.state = state
        self.batches = batches
        # The bar's own time left would be that of the phase.
        self.bar = progress_bar(TextColumn("{task.fields[left]}"))
        self.epoch_began = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        left = self._left(self.state.history) if self.state.history else ""
        batches = self.batches * self.params["epochs"]
        self.task = self.bar.add_task(f"phase {self.phase.name}", total=batches, left=left)
        self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch_began = time.monotonic()
        self.bar.update(self.task, completed=epoch * self.batches)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.bar.advance(self.task)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        figures = logs or {}
        seconds = time.monotonic() - self.epoch_began
        left = self._left([*self.state.history, {"phase": self.phase.name, "seconds": seconds}])
        self.bar.update(self.task, left=left)
        console.print(
            f"phase {self.phase.name}, epoch {epoch + 1} of {self.params['epochs']}: loss {figures['loss']:.4f}, "
            f"validation loss {figures['val_loss']:.4f}, validation AUC {figures['val_auc']:.4f}, "
            f"{seconds:.0f} s, {left}",
            highlight=False,
            soft_wrap=True,  # one line an epoch in a log, however narrow
        )

    def _left(self, history: Sequence[Mapping[str, Any]]) -> str:
        stopped = [self.phase.name] if self.model.stop_training else []
        left = seconds_left(self.planned, history, [*self.state.finished_phases, *stopped])
        return f"about {format_duration(left)} of the run left" if left else "the last epoch"

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.bar.stop()
