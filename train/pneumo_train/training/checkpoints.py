"""The state of a run, in files that survive `kill -9` at any moment.

Each epoch first writes its checkpoint file, and then replaces `state.json` with one that names it. So `state.json`
always names a complete checkpoint, whenever the process is killed.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import keras
from pydantic import BaseModel, ConfigDict, Field

from pneumo_infer.files.atomic_write import atomic_write, write_json
from pneumo_infer.files.csv_files import CsvWriter
from pneumo_train.errors import RunError, first_line
from pneumo_train.model.load_keras import load_keras
from pneumo_train.recipe import Phase
from pneumo_train.side_files import SideFile
from pneumo_train.training.history import HISTORY_FILE, EpochRow

# The best epoch is chosen by ranking, because calibration after training corrects much of what the loss penalises.
MONITORED = "val_auc"


CheckpointFile = Annotated[str, Field(pattern=r"^[\w -]+\.keras$")]


class StoredState(BaseModel):
    """The content of `state.json`, see `RunState`."""

    model_config = ConfigDict(extra="forbid")

    history: list[EpochRow]
    last: CheckpointFile | None
    kept: CheckpointFile | None
    finished_phases: list[str]


@dataclass(slots=True)
class RunState:
    """The state of a run.

    Attributes
    ----------
    history
        One row per epoch over all phases: epoch, phase, metrics and learning rate.
    last, kept
        Checkpoint files of the last epoch, and of the epoch that the next phase or the final model uses. The recipe
        decides whether that is the last epoch, or the one with the highest validation AUC in any phase.
    finished_phases
        Names of the finished phases, in order. The next phase starts from `kept`.
    """

    folder: Path
    history: list[dict[str, Any]] = field(default_factory=list)
    last: str | None = None
    kept: str | None = None
    finished_phases: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> RunState:
        """Read the state of a run, or return an empty one if the folder has none.

        Raises
        ------
        RunError
            `state.json` is damaged.
        """
        file = folder / "state.json"
        if not file.exists():
            return cls(folder)
        stored = SideFile(file, "restore it, or train again into another folder").json(StoredState)
        return cls(folder, **stored.model_dump())

    def load(self, checkpoint: str | None) -> keras.Model:
        """Load a checkpoint.

        Raises
        ------
        RunError
            It is missing or damaged.
        """
        file = self.checkpoints / str(checkpoint)
        try:
            return load_keras(file)
        except Exception as error:  # Keras can raise any exception for a damaged file
            remedy = "restore it, or train again into another folder"
            raise RunError(str(file), f"cannot be loaded ({first_line(error)})", remedy) from error

    def write(self) -> None:
        """Replace the state files, then delete the checkpoints that they no longer name."""
        state = asdict(self)
        del state["folder"]
        write_json(self.folder / "state.json", state)
        self._write_history()
        for file in self.checkpoints.glob("*.keras"):
            if file.name not in (self.last, self.kept):
                file.unlink()

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def rows(self, phase: str) -> list[dict[str, Any]]:
        """Return the history of one phase."""
        return [row for row in self.history if row["phase"] == phase]

    def _write_history(self) -> None:
        if self.history:
            with atomic_write(self.folder / HISTORY_FILE) as file:
                writer, names = CsvWriter(file), list(self.history[0])
                writer.write_row(names)
                for row in self.history:
                    writer.write_row(row.get(name) for name in names)


class SaveRunState(keras.callbacks.Callback):  # type: ignore[misc]
    """Updates and writes the state of a run after each epoch. Must come after the callback that saves the checkpoint.

    Parameters
    ----------
    state
        The state to update.
    phase
        The phase that is being trained.
    keep_last
        Keep the last epoch instead of the best one.
    replayed
        Callbacks whose state depends only on the history. When a run is resumed, they are called for its earlier
        epochs, so that patience and learning rate continue from there.
    """

    def __init__(
        self, state: RunState, phase: Phase, keep_last: bool, replayed: list[keras.callbacks.Callback]
    ) -> None:
        super().__init__()
        self.state = state
        self.phase = phase
        self.keep_last = keep_last
        self.replayed = replayed
        self.epoch_began = 0.0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.phase.schedule == "constant":
            # The rate in the checkpoint may already be reduced; the replay reduces it again from the start.
            self.model.optimizer.learning_rate = self.phase.learning_rate
        for epoch, row in enumerate(self.state.rows(self.phase.name)):
            for callback in self.replayed:
                callback.on_epoch_end(epoch, dict(row))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch_began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        earlier = [_rank(row) for row in self.state.history]
        figures = {name: float(value) for name, value in (logs or {}).items()}
        figures["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row = {"epoch": len(self.state.history) + 1, "phase": self.phase.name, **figures}
        self.state.history.append({**row, "seconds": round(time.monotonic() - self.epoch_began, 1)})
        self.state.last = checkpoint_name(self.phase.name, epoch + 1)
        if self.keep_last or not earlier or _rank(figures) > max(earlier):
            self.state.kept = self.state.last
        if self.model.stop_training or epoch + 1 == self.params["epochs"]:
            self.state.finished_phases.append(self.phase.name)
        self.state.write()


def _rank(row: dict[str, Any]) -> tuple[float, float]:
    return row[MONITORED], -row["val_loss"]  # the loss breaks ties when the AUC saturates


def checkpoint_name(phase: str, epoch: int | str) -> str:
    """Return the file name of a checkpoint. Epochs count from 1; Keras fills in a template such as `{epoch:03d}`."""
    return f"{phase}-{epoch:03d}.keras" if isinstance(epoch, int) else f"{phase}-{epoch}.keras"
