"""Training progress with time remaining: a bar on a terminal, and one line per epoch in a log."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from rich.progress import (
    TextColumn,
)

from pneumo_train.console import print_line, progress_bar
from pneumo_train.recipe import Phase
from pneumo_train.training.checkpoints import RunState
from pneumo_train.training.time_left import format_duration, seconds_left


class EpochProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows the progress of a phase, in batches over all its epochs, and prints a line after each epoch.

    The line contains the duration of the epoch, and an estimate of the time remaining for the run, including all later
    phases.

    Parameters
    ----------
    phase
        The phase that is being trained.
    planned
        All phases of the run, in order.
    state
        State of the run; only read.
    batches
        Number of batches in an epoch.
    """

    def __init__(self, phase: Phase, planned: Sequence[Phase], state: RunState, batches: int) -> None:
        super().__init__()
        self.phase = phase
        self.planned = planned
        self.state = state
        self.batches = batches
        # rich's own time remaining would be that of the phase.
        self.bar = progress_bar(TextColumn("{task.fields[remaining]}"))
        self.epoch_began = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        remaining = self._remaining(self.state.history) if self.state.history else ""
        batches = self.batches * self.params["epochs"]
        self.task = self.bar.add_task(f"phase {self.phase.name}", total=batches, remaining=remaining)
        self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch_began = time.monotonic()
        self.bar.update(self.task, completed=epoch * self.batches)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.bar.advance(self.task)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        metrics = logs or {}
        seconds = time.monotonic() - self.epoch_began
        remaining = self._remaining([*self.state.history, {"phase": self.phase.name, "seconds": seconds}])
        self.bar.update(self.task, remaining=remaining)
        print_line(
            f"phase {self.phase.name}, epoch {epoch + 1} of {self.params['epochs']}: loss {metrics['loss']:.4f}, "
            f"validation loss {metrics['val_loss']:.4f}, validation AUC {metrics['val_auc']:.4f}, "
            f"{seconds:.0f} s, {remaining}",
        )

    def _remaining(self, history: Sequence[Mapping[str, Any]]) -> str:
        stopped = [self.phase.name] if self.model.stop_training else []
        seconds = seconds_left(self.planned, history, [*self.state.finished_phases, *stopped])
        return f"about {format_duration(seconds)} remaining" if seconds else "last epoch"

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.bar.stop()
