"""split.csv: every film of a data set with its label, patient and split."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path

from pneumo_infer.files.atomic_write import atomic_write
from pneumo_infer.files.csv_files import CsvWriter
from pneumo_train.data.index import IndexedFilm
from pneumo_train.errors import DataError
from pneumo_train.side_files import SideFile

MANIFEST = "split.csv"
COLUMNS = [column.name for column in fields(IndexedFilm)]


def write_manifest(films: Iterable[IndexedFilm], path: Path) -> None:
    """Write a split as a CSV file with the columns path, label, patient, kind and split."""
    with atomic_write(path) as file:
        writer = CsvWriter(file)
        writer.write_row(COLUMNS)
        for film in films:
            writer.write_row(getattr(film, column) for column in COLUMNS)


def read_manifest(path: Path, root: Path) -> list[IndexedFilm]:
    """Read a split written by `write_manifest` or by hand.

    Parameters
    ----------
    root
        Folder that contains the films. Paths are relative to it; absolute paths into it are made relative.

    Raises
    ------
    DataError
        The file cannot be read, lacks a column, has an invalid row, names a film twice, or names a film outside the
        root. The message has the line number.
    """
    file = SideFile(path, "correct it, or write a new one with pneumo-train split", DataError)
    # Not resolved further, because a data set may contain links to films elsewhere.
    roots = [Path(os.path.normpath(root.absolute())), Path(os.path.realpath(root))]
    films: dict[str, IndexedFilm] = {}
    for line, film in file.rows(IndexedFilm, protected=True):
        inside = _path_inside(film.path, roots)
        if inside is None:
            raise file.wrong(f"path: {film.path!r} is outside the data folder {root}", line)
        if inside in films:
            raise file.wrong(f"path: {film.path!r} is named twice", line)
        films[inside] = film if film.path == inside else replace(film, path=inside)
    return list(films.values())


def _path_inside(path: str, roots: Sequence[Path]) -> str | None:
    """Return a path relative to the root that contains it, without `..`, or None if it is outside."""
    for root in roots:
        placed = Path(os.path.normpath(root / path))
        if placed != root and placed.is_relative_to(root):
            return placed.relative_to(root).as_posix()
    return None
