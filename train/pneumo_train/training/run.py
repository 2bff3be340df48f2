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

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from pneumo_infer import __version__
from pneumo_infer.atomic_write import atomic_write, write_json
from pneumo_train.data.batches import TrainingFilms
from pneumo_train.data.decode import DecodedFilms, decode_films
from pneumo_train.data.index import (
    IndexedFilm,
    Layout,
    index_films,
    parse_class_folders,
    read_patients,
    unnamed_patients,
)
from pneumo_train.data.split import (
    MANIFEST,
    check_splits,
    films_in_two_splits,
    read_manifest,
    split_by_patient,
    write_manifest,
)
from pneumo_train.errors import RecipeError, RunError
from pneumo_train.ood.extra_films import read_other_films
from pneumo_train.recipe import Recipe, read_recipe
from pneumo_train.release.release import release_model
from pneumo_train.training.checkpoints import RunState
from pneumo_train.training.devices import Distribute, computing
from pneumo_train.training.environment import note_environment
from pneumo_train.training.fit import train
from pneumo_train.training.progress import console, progress_bar

DUPLICATES_SHOWN = 10
RECIPE_FILE = "recipe.toml"
LOCK_FILE = "run.lock"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of a run, stored in run.json so that it can be resumed.

    Attributes
    ----------
    data
        Absolute path of the data set's root.
    recipe, settings
        As on the command line: name or path of the recipe, and `KEY=VALUE` strings that override its values.
    weights
        `imagenet`, `none` or the absolute path of a weights file.
    class_folders
        `LABEL=FOLDER` strings.
    patients, split
        CSV files with the patients and the split of the films; None to use the file names and the recipe.
    mixed_precision, distribute
        See `devices.computing`.
    cache
        Folder of decoded films; None for the user's cache folder.
    known_films, ood_films
        Folders of extra films to fit and measure out-of-distribution detection: of the known kind, and of other kinds.
    """

    data: str
    recipe: str
    weights: str
    settings: tuple[str, ...] = ()
    class_folders: tuple[str, ...] = ()
    patients: str | None = None
    split: str | None = None
    mixed_precision: bool = False
    distribute: Distribute = "none"
    cache: str | None = None
    known_films: str | None = None
    ood_films: str | None = None
    version: str = __version__

    @property
    def layout(self) -> Layout:
        """How the data set is laid out."""
        patients = None if self.patients is None else read_patients(Path(self.patients))
        return Layout(parse_class_folders(self.class_folders), patients)

    @property
    def cache_folder(self) -> Path | None:
        """Folder of decoded films; None for the user's cache folder."""
        return None if self.cache is None else Path(self.cache)


def start_run(folder: Path, recipe: Recipe, options: RunOptions) -> None:
    """Create a run folder and train in it.

    Raises
    ------
    RunError
        The folder already contains a run.
    PneumoError
        The weights or the data cannot be used.
    """
    if (folder / "run.json").exists():
        remedy = f"resume it with --resume {folder}, or name another --output"
        raise RunError(str(folder), "already contains a run", remedy)
    make_run_folder(folder, recipe, options)
    resume_run(folder)


def make_run_folder(folder: Path, recipe: Recipe, options: RunOptions) -> None:
    """Create a run folder with the recipe and the options.

    Raises
    ------
    RunError
        The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(folder / RECIPE_FILE) as file:
            file.write(recipe.to_toml())
        write_json(folder / "run.json", asdict(options))
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
    console.print(f"trained and measured: {folder / 'model.keras'}", highlight=False)


def read_options(folder: Path) -> RunOptions:
    """Read the options of a run.

    Raises
    ------
    RunError
        The folder does not contain a run.
    """
    try:
        loaded = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        options: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in loaded.items()}
        return RunOptions(**options)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunError(str(folder), f"not a run folder ({error})", "name a folder created by pneumo-train") from error


def read_own_recipe(folder: Path) -> Recipe:
    """Read the recipe of a run.

    Raises
    ------
    RunError
        This version cannot read the recipe. The message names the key.
    """
    try:
        return read_recipe(str(folder / RECIPE_FILE))
    except RecipeError as error:
        remedy = "use the version of pneumo-train that created the run, or train again into another folder"
        raise RunError(error.subject, error.problem, remedy) from error


def read_split(folder: Path, data: Path | None = None) -> DecodedFilms:
    """Decode the films of a run in the split that it was trained with.

    Parameters
    ----------
    folder
        A run folder, or any folder with a `split.csv` if `data` is given.
    data
        Root of the data set, if it has moved.

    Raises
    ------
    RunError, DataError
        The folder does not contain a run or a split, or films are missing.
    """
    if data is not None:
        return decode_with_progress(data, _check_exist(read_manifest(folder / MANIFEST), data), None)
    options = read_options(folder)
    root = Path(options.data)
    return decode_with_progress(root, _check_exist(read_manifest(folder / MANIFEST), root), options.cache_folder)


def training_films(decoded: DecodedFilms) -> TrainingFilms:
    """Collect the pixels and targets of decoded films, and the indices of the films in each split."""
    splits = np.array([film.split for film in decoded.films])
    targets = np.array([film.is_pneumonia for film in decoded.films], dtype=np.float32)
    return TrainingFilms(decoded.pixels, targets, {str(name): np.flatnonzero(splits == name) for name in set(splits)})


def decode_with_progress(root: Path, films: list[IndexedFilm], cache: Path | None) -> DecodedFilms:
    """Decode films with a progress bar, and print those that could not be decoded."""
    with progress_bar() as bar:
        task = bar.add_task("decoding films", total=len(films))
        decoded = decode_films(root, films, cache, lambda: bar.advance(task))
    for path, reason in decoded.unreadable.items():
        console.print(f"skipped {path}: {reason}", style="yellow", highlight=False)
    return decoded


def split_films(folder: Path, options: RunOptions, recipe: Recipe) -> DecodedFilms:
    """Decode the films of a run in the split that its folder contains; create the split first if there is none.

    Raises
    ------
    PneumoError
        The data or the split cannot be used.
    """
    if (folder / MANIFEST).exists():
        return read_split(folder)
    root = Path(options.data)
    given = Path(options.split) if options.split else root / MANIFEST
    if options.split or given.exists():
        console.print(f"split: {given}", highlight=False)
        decoded = decode_with_progress(root, _check_exist(read_manifest(given), root), options.cache_folder)
        split = decoded.films
    else:
        decoded = decode_with_progress(root, index_films(root, options.layout), options.cache_folder)
        split = split_by_patient(decoded.films, recipe.split.seed, recipe.split.validation, recipe.split.test)
    check_splits(split, str(given if given.exists() else root))
    report_split(decoded, split)
    write_json(folder / "unreadable.json", decoded.unreadable)
    write_manifest(sorted(split, key=lambda film: film.path), folder / MANIFEST)
    split_and_decoded = read_split(folder)
    _report_duplicates(split_and_decoded, folder / "duplicates.json")
    return split_and_decoded


def _check_exist(films: list[IndexedFilm], root: Path) -> list[IndexedFilm]:
    missing = [film.path for film in films if not (root / film.path).is_file()]
    if missing:
        problem = f"films of the split are missing ({len(missing)} in total, for example {missing[0]})"
        raise RunError(str(root), problem, "set --data to the folder that contains them")
    return films


def report_split(decoded: DecodedFilms, split: list[IndexedFilm]) -> None:
    """Print the number of films in each split, and warn about films without a known patient."""
    dropped = len(decoded.films) - len(split)
    if dropped:
        console.print(f"skipped {dropped} training films of patients who are also in test/", highlight=False)
    unnamed = unnamed_patients(split)
    if unnamed:
        console.print(
            f"warning: {unnamed} file names do not contain a patient, so films of one patient may be in two splits; "
            "name the patients with --patients FILE.csv",
            style="yellow",
            highlight=False,
        )
    for (name, label), count in sorted(Counter((film.split, film.label) for film in split).items()):
        console.print(f"{name:10} {label:9} {count:6} films", highlight=False)


def _report_duplicates(decoded: DecodedFilms, path: Path) -> None:
    groups = films_in_two_splits(decoded.films, decoded.pixels)
    for group in groups[:DUPLICATES_SHOWN]:
        places = ", ".join(f"{film.path} ({film.split})" for film in group)
        console.print(f"warning: identical films in different splits: {places}", style="yellow", highlight=False)
    if len(groups) > DUPLICATES_SHOWN:
        more = f"{len(groups) - DUPLICATES_SHOWN} more groups of identical films are listed in {path}"
        console.print(more, style="yellow", highlight=False)
    write_json(path, [[film.path for film in group] for group in groups])
