"""The history of a run: one row per epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from pneumo_train.side_files import SideFile

HISTORY_FILE = "history.csv"
METRICS = ("loss", "auc", "val_loss", "val_auc", "seconds")


class EpochRow(BaseModel):
    """An epoch. The metrics are the other fields, in the order in which they were measured."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float]

    epoch: int
    phase: str

    @model_validator(mode="after")
    def _has_metrics(self) -> Self:
        missing = [name for name in METRICS if name not in self.__pydantic_extra__]
        if missing:
            raise ValueError(f"has no {missing[0]}")
        return self


def read_history(model: Path) -> list[dict[str, Any]]:
    """Read the training history of a Keras file from `history.csv` next to it, if it exists.

    Returns
    -------
    list of dict
        One dict per epoch, or an empty list.

    Raises
    ------
    RunError
        The history is damaged.
    """
    file = model.with_name(HISTORY_FILE)
    if not file.is_file():
        return []
    return [row.model_dump() for _, row in SideFile(file, "restore or delete it").rows(EpochRow)]
