"""Decode every film once to the network's pixels, and cache them as one memory-mapped array."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from platformdirs import user_cache_path
from pydantic import TypeAdapter

from pneumo_infer.errors import ImageError
from pneumo_infer.files.atomic_write import replacing, write_json
from pneumo_infer.films.preprocess import NETWORK_SIZE, PREPROCESS, read_pixels
from pneumo_infer.films.raster import Film
from pneumo_infer.printable import printable
from pneumo_train.data.index import IndexedFilm
from pneumo_train.errors import DataError
from pneumo_train.side_files import is_utf8

CHOOSE_CACHE = "name a writable folder with --cache, or make room"
NOT_UTF8 = "its name is not UTF-8; rename it"


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
        Path to reason, for films that could not be decoded, or whose name cannot be written to a file.
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
        None of the films could be decoded, or the cache cannot be written.
    """
    named = [film for film in films if is_utf8(film.path)]
    unnameable = {printable(film.path): NOT_UTF8 for film in films if not is_utf8(film.path)}
    with _cache_folder(cache) as folder:
        key = _cache_key(root, named)
        array_file, unreadable_file = folder / f"{key}.npy", folder / f"{key}.json"
        cached = _load_cached(root, named, array_file, unreadable_file)
        if cached is None:
            _fill_cache(root, named, array_file, unreadable_file, on_film)
            cached = _load_cached(root, named, array_file, unreadable_file)
    if cached is None:
        raise DataError(str(array_file), "cannot be read again after it was written", CHOOSE_CACHE)
    return replace(cached, unreadable=unnameable | cached.unreadable)


@contextmanager
def _cache_folder(cache: Path | None) -> Iterator[Path]:
    folder = cache or user_cache_path("pneumo-train")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        problem = f"decoded films cannot be stored here ({error.strerror or error})"
        raise DataError(str(folder), problem, CHOOSE_CACHE) from error


def _load_cached(
    root: Path, films: Sequence[IndexedFilm], array_file: Path, unreadable_file: Path
) -> DecodedFilms | None:
    """Load films from the cache, or return None if they are not in it, or what is there was cut or overwritten."""
    try:
        unreadable = TypeAdapter(dict[str, str]).validate_json(unreadable_file.read_bytes())
        pixels = np.load(array_file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    readable = [film for film in films if film.path not in unreadable]
    if pixels.shape != (len(readable), NETWORK_SIZE, NETWORK_SIZE, 1) or pixels.dtype != np.uint8:
        return None
    return DecodedFilms(root, readable, pixels, unreadable)


def select_films(decoded: DecodedFilms, films: Sequence[IndexedFilm], cache: Path | None = None) -> DecodedFilms:
    """Select some of the decoded films, and store them in the cache as `decode_films` would, without decoding again.

    Parameters
    ----------
    films
        Films of `decoded`, in any order, perhaps in other splits.

    Raises
    ------
    DataError
        The cache cannot be written.
    """
    row_of = {film.path: row for row, film in enumerate(decoded.films)}
    with _cache_folder(cache) as folder:
        key = _cache_key(decoded.root, films)
        array_file = folder / f"{key}.npy"
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
            unreadable[film.path] = printable(f"{error.problem}; {error.remedy}")
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
    digest = hashlib.sha256(f"{PREPROCESS}\0".encode() + os.fsencode(os.path.realpath(root)))
    for film in films:
        digest.update(f"\0{film.path}\0{_version(root / film.path)}".encode())
    return digest.hexdigest()[:32]


def _version(path: Path) -> str:
    """Return what changes when a file is written: its size and time. Empty if the file cannot be found."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}\0{status.st_mtime_ns}"
