"""What others need of a finished run: the model, how it was made, and what it was measured to be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pneumo_infer.atomic_write import replacing, write_json
from pneumo_train.data.split import MANIFEST
from pneumo_train.errors import RunError
from pneumo_train.model.trained import MODEL_FILE, description_of
from pneumo_train.training.environment import ENVIRONMENT_FILE
from pneumo_train.training.run import RECIPE_FILE, read_options

OPTIONS_FILE = "run.json"
# Options that name places on the machine that trained.
PLACES = ("data", "recipe", "weights", "patients", "split", "cache", "known_films", "ood_films")
COPIED = (RECIPE_FILE, ENVIRONMENT_FILE, MANIFEST, "history.csv", "predictions.csv", "metrics.json")


def publish_run(run: Path, to: Path, name: str) -> list[Path]:
    """Copy a finished run's model and records to a folder, where `pneumo-export` and `evaluate` take them as a run's.

    Parameters
    ----------
    name
        Of the model's files: `NAME.keras` and `NAME.json`.

    Returns
    -------
    list of Path
        The files, in the order in which they were written. Of `run.json` only the names of folders and files are kept,
        not where they were.

    Raises
    ------
    RunError
        The run has not finished, or the folder cannot be written.
    """
    read_options(run)  # says so if this is no run
    model = run / MODEL_FILE
    if not description_of(model).exists():
        raise RunError(str(run), "has no finished model", f"go on with pneumo-train --resume {run}")
    copies = {to / f"{name}.keras": model, **{to / part: run / part for part in COPIED}}
    copies[to / f"{name}.json"] = description_of(model)  # last, since a model counts as released once it is there
    missing = [source.name for source in copies.values() if not source.exists()]
    if missing:
        raise RunError(str(run), f"lacks {', '.join(missing)}", "train it again with this version")
    try:
        to.mkdir(parents=True, exist_ok=True)
        for target, source in copies.items():
            with replacing(target) as temporary:
                shutil.copyfile(source, temporary)
        _write_options(run / OPTIONS_FILE, to / OPTIONS_FILE)
    except OSError as error:
        raise RunError(str(to), f"cannot be written ({error.strerror})", "name another --to") from error
    return [*copies, to / OPTIONS_FILE]


def _write_options(run: Path, published: Path) -> None:
    options = json.loads(run.read_text(encoding="utf-8"))
    named = {key: Path(options[key]).name for key in PLACES if options.get(key)}
    write_json(published, options | named)
