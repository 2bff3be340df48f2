"""Extra films that do not belong to any split: one half is for fitting the OOD detector, the other for measuring it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pneumo_infer.errors import ImageError
from pneumo_infer.films.preprocess import read_pixels
from pneumo_infer.films.raster import Film
from pneumo_infer.films.search.folders import find_films, is_film
from pneumo_train.errors import DataError


@dataclass(frozen=True, slots=True)
class OtherFilms:
    """Films by kind, uint8 (N, 224, 224, 1) each.

    Attributes
    ----------
    fitted, measured
        Films to fit on, every second one of each kind, and the others, to measure on.
    """

    fitted: dict[str, Film] = field(default_factory=dict)
    measured: dict[str, Film] = field(default_factory=dict)


NONE = OtherFilms()


def read_kinds(root: Path) -> dict[str, Film]:
    """Read a folder of films. Each sub-folder is a kind, and so are the files in the folder itself.

    Returns
    -------
    dict
        Kind, named after its folder, to uint8 (N, 224, 224, 1).

    Raises
    ------
    DataError
        The folder does not exist, or contains no readable films.
    """
    if not root.is_dir():
        raise DataError(str(root), "not a folder", "name a folder of films, with a sub-folder for each kind")
    folders = [root, *sorted(folder for folder in root.iterdir() if folder.is_dir())]
    by_folder = {folder.name: _read_all(folder, recursive=folder != root) for folder in folders}
    kinds = {name: np.stack(films)[..., None] for name, films in by_folder.items() if films}
    if not kinds:
        raise DataError(str(root), "contains no readable films", "check that its files open in an image viewer")
    return kinds


def read_other_films(root: Path | None) -> OtherFilms:
    """Read films to fit on and to measure on; empty if `root` is None.

    Raises
    ------
    DataError
        The folder does not exist, or contains no readable films.
    """
    kinds = {} if root is None else read_kinds(root)
    return OtherFilms(
        {name: films[::2] for name, films in kinds.items()},
        {name: films[1::2] for name, films in kinds.items() if len(films) > 1},
    )


def _read_all(folder: Path, *, recursive: bool) -> list[Film]:
    films = []
    paths = map(Path, find_films(folder).films) if recursive else filter(Path.is_file, sorted(folder.iterdir()))
    for path in filter(is_film, paths):
        try:
            films.append(read_pixels(path))
        except ImageError:  # a folder of outliers can contain anything
            continue
    return films
