"""The films of a run: split once, decoded once, and read again for whatever is measured later."""

from __future__ import annotations

import os
from pathlib import Path

from pneumo_infer.files.atomic_write import write_json
from pneumo_train.console import print_line
from pneumo_train.data.decode import DecodedFilms, select_films
from pneumo_train.data.index import IndexedFilm, index_films
from pneumo_train.data.manifest import MANIFEST, read_manifest, write_manifest
from pneumo_train.data.prepare import compare_with_folders, decode_with_progress, report_duplicates, report_split
from pneumo_train.data.split import check_splits, split_by_patient
from pneumo_train.errors import RunError
from pneumo_train.recipe import Recipe
from pneumo_train.training.options import RunOptions, read_options


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
        return decode_with_progress(data, read_existing(folder / MANIFEST, data), None)
    options = read_options(folder)
    root = Path(options.data)
    return decode_with_progress(root, read_existing(folder / MANIFEST, root), options.cache_folder)


def split_films(folder: Path, options: RunOptions, recipe: Recipe) -> DecodedFilms:
    """Decode the films of a run in the split that its folder contains; create the split first if there is none.

    Raises
    ------
    PneumoError
        The data or the split cannot be used.
    """
    root = Path(options.data)
    if (folder / MANIFEST).exists():
        decoded = read_split(folder)
        compare_with_folders(root, decoded.films, folder / MANIFEST, options.class_layout)
        return decoded
    given = Path(options.split) if options.split else root / MANIFEST
    if options.split or given.exists():
        print_line(f"split: {given}")
        listed = read_existing(given, root)
        compare_with_folders(root, listed, given, options.class_layout)
        decoded = decode_with_progress(root, listed, options.cache_folder)
        split = decoded.films
    else:
        decoded = decode_with_progress(root, index_films(root, options.layout), options.cache_folder)
        split = split_by_patient(decoded.films, recipe.split.seed, recipe.split.validation, recipe.split.test)
    check_splits(split, str(given if given.exists() else root))
    report_split(decoded, split)
    write_json(folder / "unreadable.json", decoded.unreadable)
    write_manifest(sorted(split, key=lambda film: film.path), folder / MANIFEST)
    films = read_manifest(folder / MANIFEST, root)
    selected = select_films(decoded, films, options.cache_folder)
    write_json(folder / "duplicates.json", report_duplicates(selected, folder / "duplicates.json"))
    return selected


def read_existing(manifest: Path, root: Path) -> list[IndexedFilm]:
    """Read a split whose films are all in the data folder.

    Raises
    ------
    DataError
        The split cannot be used.
    RunError
        Films are missing.
    """
    films = read_manifest(manifest, root)
    # Path.is_file raises an error if a name is too long.
    missing = [film.path for film in films if not os.path.isfile(root / film.path)]  # noqa: PTH113
    if missing:
        problem = f"films of the split are missing ({len(missing)} in total, for example {missing[0]})"
        raise RunError(str(root), problem, "set --data to the folder that contains them")
    return films
