"""Decode every film once to the network's pixels, and cache them as one memory-mapped array."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from platformdirs import user_cache_path

from pneumo_infer.atomic_write import replacing, write_json
from pneumo_infer.errors import ImageError
from pneumo_infer.films.preprocess import NETWORK_SIZE, PREPROCESS, read_pixels
from pneumo_infer.films.raster import Film
from pneumo_train.data.index import IndexedFilm
from pneumo_train.errors import DataError


@dataclass(frozen=True, slots=True)
class DecodedFilms:
    """The pixels of a data set.

    Attributes
    ----------
    root
        Folder that the films' paths are relative to.
    films
        The readable films, in the order of `pixels`.
    pixels
        uint8 (N, 224, 224, 1), read-only and memory-mapped.
    unreadable
        Path to reason, for films that could not be decoded.
    """

    root: Path
    films: list[IndexedFilm]
    pixels: NDArray[np.uint8]
    unreadable: dict[str, str]

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the paths, labels and pixels of all films."""
        digest = hashlib.sha256()
        for film, pixels in zip(self.films, self.pixels, strict=True):
            digest.update(f"{film.path}\0{film.label}\0".encode())
            digest.update(pixels.tobytes())
        return digest.hexdigest()


def decode_films(
    root: Path, films: Sequence[IndexedFilm], cache: Path | None = None, on_film: Callable[[], object] = lambda: None
) -> DecodedFilms:
    """Decode films with the same code as inference, or load them from the cache of an earlier call.

    Parameters
    ----------
    root
        Folder that the films' paths are relative to.
    films
        The films to decode; their order is kept.
    cache
        Folder of the decoded arrays (50 kB per film); the user's cache folder if None.
    on_film
        Called after each film, for a progress bar.

    Raises
    ------
    DataError
        None of the films could be decoded.
    """
    folder = cache or user_cache_path("pneumo-train")
    folder.mkdir(parents=True, exist_ok=True)
    key = _cache_key(root, films)
    array_file, unreadable_file = folder / f"{key}.npy", folder / f"{key}.json"
    if not (array_file.exists() and unreadable_file.exists()):
        _fill_cache(root, films, array_file, unreadable_file, on_film)
    unreadable: dict[str, str] = json.loads(unreadable_file.read_text(encoding="utf-8"))
    readable = [film for film in films if film.path not in unreadable]
    return DecodedFilms(root, readable, np.load(array_file, mmap_mode="r"), unreadable)


def select_films(decoded: DecodedFilms, films: Sequence[IndexedFilm], cache: Path | None = None) -> DecodedFilms:
    """Select some of the decoded films, and store them in the cache as `decode_films` would, without decoding again.

    Parameters
    ----------
    films
        Films of `decoded`, in any order, perhaps in other splits.
    """
    folder = cache or user_cache_path("pneumo-train")
    key = _cache_key(decoded.root, films)
    array_file = folder / f"{key}.npy"
    row_of = {film.path: row for row, film in enumerate(decoded.films)}
    with replacing(array_file) as temporary:
        array = open_memmap(temporary, "w+", np.uint8, (len(films), *decoded.pixels.shape[1:]))
        for row, film in enumerate(films):
            array[row] = decoded.pixels[row_of[film.path]]
        array.flush()
    write_json(folder / f"{key}.json", {})
    return DecodedFilms(decoded.root, list(films), np.load(array_file, mmap_mode="r"), {})


def _fill_cache(
    root: Path, films: Sequence[IndexedFilm], array_file: Path, unreadable_file: Path, on_film: Callable[[], object]
) -> None:
    unreadable: dict[str, str] = {}

    def decode(film: IndexedFilm) -> Film | None:
        try:
            return read_pixels(root / film.path)
        except ImageError as error:
            unreadable[film.path] = f"{error.problem}; {error.remedy}"
            return None

    with replacing(array_file) as temporary, ThreadPoolExecutor() as decoders:
        array = open_memmap(temporary, "w+", np.uint8, (len(films), NETWORK_SIZE, NETWORK_SIZE, 1))
        row = 0
        for pixels in decoders.map(decode, films):
            if pixels is not None:
                array[row, :, :, 0] = pixels
                row += 1
            on_film()
        array.flush()
        if row == 0:
            raise DataError(str(root), "contains no readable films", "check that the files open in an image viewer")
        if row < len(films):
            _keep_rows(temporary, array, row)
    write_json(unreadable_file, dict(sorted(unreadable.items())))


def _keep_rows(path: Path, array: NDArray[np.uint8], rows: int) -> None:
    with replacing(path) as shorter:
        kept = open_memmap(shorter, "w+", np.uint8, (rows, *array.shape[1:]))
        kept[:] = array[:rows]
        kept.flush()


def _cache_key(root: Path, films: Sequence[IndexedFilm]) -> str:
    digest = hashlib.sha256(f"{PREPROCESS}\0{root.resolve()}".encode())
    for film in films:
        stat = (root / film.path).stat()
        digest.update(f"\0{film.path}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]
