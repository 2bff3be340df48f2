"""A run folder: everything that went into a model and everything that came out.

run.json         data, weights and version, written before the first film is decoded
run.lock         held by the process that trains
recipe.toml      the recipe in full, with what the command line overrode
environment.json processor and packages of each machine that trained
split.csv        every film, its patient and its split
unreadable.json  films that did not decode, with the reason
duplicates.json  films that are equal pixel for pixel although they are in different splits
state.json, history.csv, checkpoints/   see journal.py
model.keras      the serving model, calibrated
model.json       what must travel with it: operating points, calibration, figures, data, licence
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
    """What a run was asked for; kept in run.json so that it can be resumed.

    Attributes
    ----------
    data
        Absolute path of the data set's root.
    recipe, settings
        As on the command line: a name or a path, and what was overridden in it.
    weights
        `imagenet`, `none` or the absolute path of a weights file.
    class_folders
        `LABEL=FOLDER` each.
    patients, split
        CSV files that say whose each film is, and which split it is in; None where the names and the recipe do.
    mixed_precision, distribute
        See `devices.computing`.
    known_films, ood_films
        Folders of films for the domain: of the known kind, and of others.
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
        """Where decoded films are kept; None stands for the user's cache folder."""
        return None if self.cache is None else Path(self.cache)


def start_run(folder: Path, recipe: Recipe, options: RunOptions) -> None:
    """Make a run folder and train in it.

    Raises
    ------
    RunError
        The folder already holds a run.
    PneumoError
        The weights or the data cannot be used.
    """
    if (folder / "run.json").exists():
        raise RunError(str(folder), "already holds a run", f"go on with --resume {folder}, or name another --output")
    make_run_folder(folder, recipe, options)
    resume_run(folder)


def make_run_folder(folder: Path, recipe: Recipe, options: RunOptions) -> None:
    """Write what a run was asked for into its folder.

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
    """Train what a run folder has not trained yet, then measure and release its model.

    Raises
    ------
    RunError
        The folder holds no run, another process trains it, it cannot be written, or its films have changed since.
    """
    options = read_options(folder)
    with alone_in(folder):
        _go_on(folder, options)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes out, which would overwrite our epochs. The lock ends with its process, however that ends."""
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


def _go_on(folder: Path, options: RunOptions) -> None:
    recipe = read_own_recipe(folder)
    decoded = split_films(folder, options, recipe)
    films = training_films(decoded)
    known, outliers = (
        read_other_films(Path(given) if given else None) for given in (options.known_films, options.ood_films)
    )
    state = RunState.read(folder)
    note_environment(folder)
    with computing(options.mixed_precision, options.distribute):
        trunk = train(recipe, options.weights, films, state)
    release_model(folder, trunk, recipe, options.weights, decoded, films, state.history, known, outliers)
    console.print(f"trained and measured: {folder / 'model.keras'}", highlight=False)


def read_options(folder: Path) -> RunOptions:
    """Read what a run was asked for.

    Raises
    ------
    RunError
        The folder holds no run.
    """
    try:
        lists = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        kept: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in lists.items()}
        return RunOptions(**kept)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunError(str(folder), f"holds no run ({error})", "name a folder that pneumo-train made") from error


def read_own_recipe(folder: Path) -> Recipe:
    """Read the recipe that a run was started with.

    Raises
    ------
    RunError
        This version cannot read it; the message names the key.
    """
    try:
        return read_recipe(str(folder / RECIPE_FILE))
    except RecipeError as error:
        remedy = "use the version of pneumo-train that made the run, or train again into another folder"
        raise RunError(error.subject, error.problem, remedy) from error


def read_split(folder: Path, data: Path | None = None) -> DecodedFilms:
    """Decode a run's films again, in the split that it was trained with.

    Parameters
    ----------
    folder
        A run, or any folder with a `split.csv` if `data` is given.
    data
        Where the data set lies now, if not where the run found it.

    Raises
    ------
    RunError, DataError
        The folder holds no run or no split, or the films are no longer there.
    """
    if data is not None:
        return decode_with_progress(data, _present(read_manifest(folder / MANIFEST), data), None)
    options = read_options(folder)
    root = Path(options.data)
    return decode_with_progress(root, _present(read_manifest(folder / MANIFEST), root), options.cache_folder)


def training_films(decoded: DecodedFilms) -> TrainingFilms:
    """Number the films of each split."""
    splits = np.array([film.split for film in decoded.films])
    targets = np.array([film.is_pneumonia for film in decoded.films], dtype=np.float32)
    return TrainingFilms(decoded.pixels, targets, {str(name): np.flatnonzero(splits == name) for name in set(splits)})


def decode_with_progress(root: Path, films: list[IndexedFilm], cache: Path | None) -> DecodedFilms:
    """Decode films under a progress bar, and say which could not be."""
    with progress_bar() as bar:
        task = bar.add_task("decoding films", total=len(films))
        decoded = decode_films(root, films, cache, lambda: bar.advance(task))
    for path, reason in decoded.unreadable.items():
        console.print(f"left out: {path}: {reason}", style="yellow", highlight=False)
    return decoded


def split_films(folder: Path, options: RunOptions, recipe: Recipe) -> DecodedFilms:
    """Decode the films of a run in the split that its folder has; split them first where it has none yet.

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
        decoded = decode_with_progress(root, _present(read_manifest(given), root), options.cache_folder)
        split = decoded.films
    else:
        decoded = decode_with_progress(root, index_films(root, options.layout), options.cache_folder)
        split = split_by_patient(decoded.films, recipe.split.seed, recipe.split.validation, recipe.split.test)
    check_splits(split, str(given if given.exists() else root))
    report_split(decoded, split)
    write_json(folder / "unreadable.json", decoded.unreadable)
    write_manifest(sorted(split, key=lambda film: film.path), folder / MANIFEST)
    whole = read_split(folder)
    _report_duplicates(whole, folder / "duplicates.json")
    return whole


def _present(films: list[IndexedFilm], root: Path) -> list[IndexedFilm]:
    missing = [film.path for film in films if not (root / film.path).is_file()]
    if missing:
        problem = f"lacks {len(missing)} films of the split, {missing[0]} first"
        raise RunError(str(root), problem, "give --data their root")
    return films


def report_split(decoded: DecodedFilms, split: list[IndexedFilm]) -> None:
    """Say how many films each split has, and what is doubtful about them."""
    left_out = len(decoded.films) - len(split)
    if left_out:
        console.print(f"left out: {left_out} training films of patients who are in test/ too", highlight=False)
    unnamed = unnamed_patients(split)
    if unnamed:
        console.print(
            f"{unnamed} file names do not say who the patient is: each counts as a patient of its own, so films of one "
            "patient may be in two splits; --patients FILE.csv tells",
            style="yellow",
            highlight=False,
        )
    for (name, label), count in sorted(Counter((film.split, film.label) for film in split).items()):
        console.print(f"{name:10} {label:9} {count:6} films", highlight=False)


def _report_duplicates(decoded: DecodedFilms, path: Path) -> None:
    groups = films_in_two_splits(decoded.films, decoded.pixels)
    for group in groups[:DUPLICATES_SHOWN]:
        places = ", ".join(f"{film.path} ({film.split})" for film in group)
        console.print(f"equal pixel for pixel in different splits: {places}", style="yellow", highlight=False)
    if len(groups) > DUPLICATES_SHOWN:
        console.print(f"and {len(groups) - DUPLICATES_SHOWN} more such groups: {path}", style="yellow", highlight=False)
    write_json(path, [[film.path for film in group] for group in groups])
