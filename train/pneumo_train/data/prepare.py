"""Decode films with a progress bar, and report what is in a split."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pneumo_train.console import print_line, progress_bar
from pneumo_train.data.decode import DecodedFilms, decode_films
from pneumo_train.data.index import IndexedFilm, Layout, films_in_class_folders, unnamed_patients
from pneumo_train.data.label import Label
from pneumo_train.data.split import films_in_two_splits
from pneumo_train.errors import DataError

DUPLICATES_SHOWN = 10


def decode_with_progress(root: Path, films: list[IndexedFilm], cache: Path | None) -> DecodedFilms:
    """Decode films with a progress bar, and print those that could not be decoded."""
    with progress_bar() as bar:
        task = bar.add_task("decoding films", total=len(films))
        decoded = decode_films(root, films, cache, lambda: bar.advance(task))
    for path, reason in decoded.unreadable.items():
        print_line(f"skipped {path}: {reason}", style="yellow")
    return decoded


def report_split(decoded: DecodedFilms, split: list[IndexedFilm]) -> None:
    """Print the number of films in each split, and warn about films without a known patient."""
    dropped = len(decoded.films) - len(split)
    if dropped:
        print_line(f"skipped {dropped} training films of patients who are also in test/")
    unnamed = unnamed_patients(split)
    if unnamed:
        print_line(
            f"warning: {unnamed} file names do not contain a patient, so films of one patient may be in two splits; "
            "name the patients with --patients FILE.csv",
            style="yellow",
        )
    for (name, label), count in sorted(Counter((film.split, film.label) for film in split).items()):
        print_line(f"{name:10} {label:9} {count:6} films")


def compare_with_folders(root: Path, split: list[IndexedFilm], manifest: Path, layout: Layout) -> None:
    """Compare the labels of a split with the class folders that its films are in, and print the counts of both.

    Films outside class folders cannot be compared.

    Raises
    ------
    DataError
        A film has another label than its folder.
    """
    folder_of = {film.path: film.label for film in films_in_class_folders(root, layout)}
    wrong = [film for film in split if folder_of.get(film.path, film.label) is not film.label]
    if wrong:
        film = wrong[0]
        problem = f"{film.path} is {film.label}, but its folder says {folder_of[film.path]} (in total: {len(wrong)})"
        raise DataError(str(manifest), problem, "correct the label, or move the film to the folder of its class")
    listed = {film.path for film in split}
    for label in Label:
        in_split = sum(film.label is label for film in split)
        in_folders = [path for path, folder in folder_of.items() if folder is label]
        missing = sum(path not in listed for path in in_folders)
        where = f"class folders: {len(in_folders)}, {missing} of them not in it" if folder_of else "no class folders"
        print_line(f"{manifest.name}: {in_split} {label} films; {where}")


def report_duplicates(decoded: DecodedFilms, path: Path) -> list[list[str]]:
    """Warn about identical films in different splits; returns the paths of each group."""
    groups = films_in_two_splits(decoded.films, decoded.pixels)
    for group in groups[:DUPLICATES_SHOWN]:
        places = ", ".join(f"{film.path} ({film.split})" for film in group)
        print_line(f"warning: identical films in different splits: {places}", style="yellow")
    if len(groups) > DUPLICATES_SHOWN:
        more = f"{len(groups) - DUPLICATES_SHOWN} more groups of identical films are listed in {path}"
        print_line(more, style="yellow")
    return [[film.path for film in group] for group in groups]
