"""Files that were made but not yet proved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pneumo_export.parity import ParityFilms
from pneumo_train.trained import TrainedModel


@dataclass(frozen=True)
class Staged:
    """Files that were made but not yet proved."""

    source: TrainedModel
    films: ParityFilms
    folder: Path
    files: dict[str, Path]
