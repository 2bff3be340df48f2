"""Find the model to export if --model is not given."""

from __future__ import annotations

from pathlib import Path

from pneumo_export.errors import ExportError
from pneumo_train.model.trained import MODEL_FILE, description_of


def latest_model(runs: Path) -> Path:
    """Return the Keras file of the run that finished last.

    Raises
    ------
    ExportError
        The folder contains no finished run.
    """
    finished = [path for path in runs.glob(f"*/{MODEL_FILE}") if description_of(path).exists()]
    if not finished:
        raise ExportError(
            str(runs), "contains no finished run", "train one with pneumo-train, or give --model FILE.keras"
        )
    return max(finished, key=lambda path: path.stat().st_mtime_ns)
