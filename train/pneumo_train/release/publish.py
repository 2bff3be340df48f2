"""Publish a finished run: the model, its recipe and records, and its figures."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pneumo_infer.files.atomic_write import write_json
from pneumo_infer.model.checksum import CHECKSUMS
from pneumo_train.data.manifest import MANIFEST
from pneumo_train.errors import RunError
from pneumo_train.model.trained import MODEL_FILE, description_of
from pneumo_train.release.publication import publish_files, staging
from pneumo_train.training.environment import ENVIRONMENT_FILE
from pneumo_train.training.options import OPTIONS_FILE, RECIPE_FILE, read_options

# Options that contain local paths.
PATH_OPTIONS = ("data", "recipe", "weights", "patients", "split", "cache", "known_films", "ood_films")
COPIED = (RECIPE_FILE, ENVIRONMENT_FILE, MANIFEST, "history.csv", "predictions.csv", "metrics.json")


def publish_run(run: Path, to: Path, name: str) -> list[Path]:
    """Copy the model and records of a finished run to a folder, in one step, and list the model in SHA256SUMS.

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
        The run has not finished, the name is not a file name, or the folder cannot be written.
    """
    options = asdict(read_options(run))
    model = run / MODEL_FILE
    if not description_of(model).exists():
        raise RunError(str(run), "not a finished run", f"finish it with: pneumo-train --resume {run}")
    if Path(name).name != name or not name.isprintable():
        raise RunError(name, "not a name for a file", "choose another --name")
    copies = {f"{name}.keras": model, **{part: run / part for part in COPIED}, f"{name}.json": description_of(model)}
    missing = [source.name for source in copies.values() if not source.exists()]
    if missing:
        raise RunError(str(run), f"missing files: {', '.join(missing)}", "train it again with this version")
    try:
        with staging(to) as staged:
            for target, source in copies.items():
                shutil.copyfile(source, staged / target)
            _write_options(options, staged / OPTIONS_FILE)
            publish_files(staged, to, [*copies, OPTIONS_FILE])
    except OSError as error:
        raise RunError(str(to), f"cannot be written ({error.strerror})", "choose another --to") from error
    return [to / file for file in (*copies, OPTIONS_FILE, CHECKSUMS)]


def _write_options(options: dict[str, Any], published: Path) -> None:
    names = {key: Path(options[key]).name for key in PATH_OPTIONS if options.get(key)}
    write_json(published, options | names)
