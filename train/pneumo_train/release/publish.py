"""Publish a finished run: the model, its recipe and records, and its figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pneumo_infer.atomic_write import replacing, write_json
from pneumo_train.data.split import MANIFEST
from pneumo_train.errors import RunError
from pneumo_train.model.trained import MODEL_FILE, description_of
from pneumo_train.training.environment import ENVIRONMENT_FILE
from pneumo_train.training.options import OPTIONS_FILE, RECIPE_FILE, read_options

# Options that contain local paths.
PATH_OPTIONS = ("data", "recipe", "weights", "patients", "split", "cache", "known_films", "ood_films")
COPIED = (RECIPE_FILE, ENVIRONMENT_FILE, MANIFEST, "history.csv", "predictions.csv", "metrics.json")


def publish_run(run: Path, to: Path, name: str) -> list[Path]:
    """Copy the model and records of a finished run to a folder.

    `pneumo-export` and `pneumo-train evaluate` accept the folder like a run. Paths in `run.json` are reduced to their
    last part.

    Parameters
    ----------
    run
        Folder of the run.
    to
        Folder to copy to.
    name
        Name of the model files: `NAME.keras` and `NAME.json`.

    Returns
    -------
    list of Path
        The files, in the order in which they were written.

    Raises
    ------
    RunError
        The run has not finished, or the folder cannot be written.
    """
    read_options(run)  # raises if the folder is not a run
    model = run / MODEL_FILE
    if not description_of(model).exists():
        raise RunError(str(run), "not a finished run", f"finish it with: pneumo-train --resume {run}")
    copies = {to / f"{name}.keras": model, **{to / part: run / part for part in COPIED}}
    copies[to / f"{name}.json"] = description_of(model)  # last, because it marks the model as complete
    missing = [source.name for source in copies.values() if not source.exists()]
    if missing:
        raise RunError(str(run), f"missing files: {', '.join(missing)}", "train it again with this version")
    try:
        to.mkdir(parents=True, exist_ok=True)
        for target, source in copies.items():
            with replacing(target) as temporary:
                shutil.copyfile(source, temporary)
        _write_options(run / OPTIONS_FILE, to / OPTIONS_FILE)
    except OSError as error:
        raise RunError(str(to), f"cannot be written ({error.strerror})", "choose another --to") from error
    return [*copies, to / OPTIONS_FILE]


def _write_options(run: Path, published: Path) -> None:
    options = json.loads(run.read_text(encoding="utf-8"))
    names = {key: Path(options[key]).name for key in PATH_OPTIONS if options.get(key)}
    write_json(published, options | names)
