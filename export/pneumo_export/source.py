"""Which model is exported where none is named."""

from __future__ import annotations

from pathlib import Path

from pneumo_export.errors import ExportError
from pneumo_train.model.trained import MODEL_FILE, description_of


def latest_model(runs: Path) -> Path:
    """Find the model that was trained last.

    Raises
    ------
    ExportError
        No run below the folder has finished.
    """
    finished = [path for path in runs.glob(f"*/{MODEL_FILE}") if description_of(path).exists()]
    if not finished:
        raise ExportError(str(runs), "holds no finished run", "train one with pneumo-train, or give --model FILE.keras")
    return max(finished, key=lambda path: path.stat().st_mtime_ns)
