"""Films that belong to no split: a folder of other films, read half to fit the domain on and half to measure it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pneumo_infer.errors import ImageError
from pneumo_infer.films.preprocess import read_pixels
from pneumo_infer.films.raster import FILE_SUFFIXES, Film
from pneumo_train.errors import DataError


@dataclass(frozen=True, slots=True)
class OtherFilms:
    """Films by kind, uint8 (N, 224, 224, 1) each.

    Attributes
    ----------
    fitted, measured
        Every second film of each kind, and the others between them.
    """

    fitted: dict[str, Film] = field(default_factory=dict)
    measured: dict[str, Film] = field(default_factory=dict)


NONE = OtherFilms()


def read_kinds(root: Path) -> dict[str, Film]:
    """Read films from a folder: each sub-folder is a kind, and so are files that lie in the folder itself.

    Raises
    ------
    DataError
        There is no such folder, or no film in it can be read.
    """
    if not root.is_dir():
        raise DataError(str(root), "is no folder", "name a folder of films, with a sub-folder for each kind")
    folders = [root, *sorted(folder for folder in root.iterdir() if folder.is_dir())]
    read = {folder.name: _read_all(folder, deep=folder != root) for folder in folders}
    kinds = {name: np.stack(films)[..., None] for name, films in read.items() if films}
    if not kinds:
        raise DataError(str(root), "has no film that can be read", "look at one of its files in an image viewer")
    return kinds


def read_other_films(root: Path | None) -> OtherFilms:
    """Read films to fit on and to measure on; none without a folder.

    Raises
    ------
    DataError
        There is no such folder, or no film in it can be read.
    """
    kinds = {} if root is None else read_kinds(root)
    return OtherFilms(
        {name: films[::2] for name, films in kinds.items()},
        {name: films[1::2] for name, films in kinds.items() if len(films) > 1},
    )


def _read_all(folder: Path, *, deep: bool) -> list[Film]:
    films = []
    for path in sorted(folder.rglob("*") if deep else folder.iterdir()):
        if path.is_file() and path.suffix.lower() in FILE_SUFFIXES:
            try:
                films.append(read_pixels(path))
            except ImageError:  # a folder of outliers may hold anything
                continue
    return films
