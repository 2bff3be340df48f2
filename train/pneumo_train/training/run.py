"""A run folder: all inputs and outputs of a training.

run.json         data, weights and version, written before the first film is decoded
run.lock         held by the process that is training
recipe.toml      the complete recipe, including values set on the command line
environment.json CPU and packages of each machine that trained
split.csv        every film with its patient and split
unreadable.json  films that could not be decoded, with the reason
duplicates.json  films in different splits with identical pixels
state.json, history.csv, checkpoints/   see checkpoints.py
model.keras      the calibrated model for inference
model.json       its description: operating points, calibration, figures, data, licence
metrics.json, predictions.csv, curves.png
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from pneumo_infer.files.atomic_write import atomic_write, write_json
from pneumo_train.console import print_line
from pneumo_train.data.batches import training_films
from pneumo_train.errors import RunError
from pneumo_train.ood.extra_films import read_other_films
from pneumo_train.recipe import Recipe
from pneumo_train.release.release import release_model
from pneumo_train.side_files import is_utf8
from pneumo_train.training.checkpoints import RunState
from pneumo_train.training.devices import computing
from pneumo_train.training.environment import note_environment
from pneumo_train.training.films import split_films
from pneumo_train.training.fit import train
from pneumo_train.training.options import OPTIONS_FILE, RECIPE_FILE, RunOptions, read_options, read_own_recipe

LOCK_FILE = "run.lock"


def start_run(folder: Path, recipe: Recipe, options: RunOptions) -> None:
    """Create a run folder and train in it.

    Raises
    ------
    RunError
        The folder already contains a run.
    PneumoError
        The weights or the data cannot be used.
    """
    if (folder / OPTIONS_FILE).exists():
        remedy = f"resume it with --resume {folder}, or name another --output"
        raise RunError(str(folder), "already contains a run", remedy)
    make_run_folder(folder, recipe, options)
    resume_run(folder)


def make_run_folder(folder: Path, recipe: Recipe, options: RunOptions) -> None:
    """Create a run folder with the recipe and the options.

    Raises
    ------
    RunError
        The folder cannot be written, or a path is not UTF-8.
    """
    for value in asdict(options).values():
        if isinstance(value, str) and not is_utf8(value):
            raise RunError(value, f"is not UTF-8, so {OPTIONS_FILE} cannot name it", "rename it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / RECIPE_FILE) as file:
            file.write(recipe.to_toml())
        write_json(folder / OPTIONS_FILE, asdict(options))
    except OSError as error:
        raise RunError(str(folder), f"cannot be written ({error.strerror})", "name another --output") from error


def resume_run(folder: Path) -> None:
    """Train the remaining epochs of a run, then measure and release its model.

    Raises
    ------
    RunError
        The folder does not contain a run or cannot be written, another process is training in it, or its films have
        changed.
    """
    options = read_options(folder)
    with alone_in(folder):
        _train_and_release(folder, options)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Lock a run folder, so that no other process overwrites its epochs. The lock is released even on `kill -9`."""
    lock = FileLock(folder / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(str(folder), "is being trained by another process", "let it finish, or stop it") from None
    except OSError as error:
        raise RunError(str(folder), f"cannot be written ({error.strerror})", "make it writable") from error
    try:
        yield
    finally:
        lock.release()


def _train_and_release(folder: Path, options: RunOptions) -> None:
    recipe = read_own_recipe(folder)
    decoded = split_films(folder, options, recipe)
    films = training_films(decoded)
    known, outliers = (
        read_other_films(Path(path) if path else None) for path in (options.known_films, options.ood_films)
    )
    state = RunState.read(folder)
    note_environment(folder)
    with computing(options.mixed_precision, options.distribute):
        trunk = train(recipe, options.weights, films, state)
    release_model(folder, trunk, recipe, options.weights, decoded, films, state.history, known, outliers)
    print_line(f"trained and measured: {folder / 'model.keras'}")
