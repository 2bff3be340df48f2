"""Decode films with a progress bar, and report what is in a split."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pneumo_train.console import console, progress_bar
from pneumo_train.data.decode import DecodedFilms, decode_films
from pneumo_train.data.index import IndexedFilm, unnamed_patients
from pneumo_train.data.split import films_in_two_splits

DUPLICATES_SHOWN = 10


def decode_with_progress(root: Path, films: list[IndexedFilm], cache: Path | None) -> DecodedFilms:
    """Decode films with a progress bar, and print those that could not be decoded."""
    with progress_bar() as bar:
        task = bar.add_task("decoding films", total=len(films))
        decoded = decode_films(root, films, cache, lambda: bar.advance(task))
    for path, reason in decoded.unreadable.items():
        console.print(f"skipped {path}: {reason}", style="yellow", highlight=False)
    return decoded


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


def report_duplicates(decoded: DecodedFilms, path: Path) -> list[list[str]]:
    """Warn about identical films in different splits; returns the paths of each group."""
    groups = films_in_two_splits(decoded.films, decoded.pixels)
    for group in groups[:DUPLICATES_SHOWN]:
        places = ", ".join(f"{film.path} ({film.split})" for film in group)
        console.print(f"warning: identical films in different splits: {places}", style="yellow", highlight=False)
    if len(groups) > DUPLICATES_SHOWN:
        more = f"{len(groups) - DUPLICATES_SHOWN} more groups of identical films are listed in {path}"
        console.print(more, style="yellow", highlight=False)
    return [[film.path for film in group] for group in groups]
