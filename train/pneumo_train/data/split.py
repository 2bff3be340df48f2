"""Split films so that no patient is in two splits."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from pneumo_infer.atomic_write import atomic_write
from pneumo_infer.films.raster import Film
from pneumo_infer.model.info import LABELS
from pneumo_train.data.index import IndexedFilm
from pneumo_train.errors import DataError

SPLITS = ("train", "validation", "test")
SPLIT_FOLDERS = {"train": "train", "validation": "val", "test": "test"}
MANIFEST = "split.csv"
COLUMNS = [column.name for column in fields(IndexedFilm)]


def split_by_patient(
    films: Sequence[IndexedFilm], seed: int, validation_share: float, test_share: float
) -> list[IndexedFilm]:
    """Split films into train, validation and test so that no patient is in two of them.

    Each class is split separately, so that it has the same share in every split. Films from a `test` folder stay in the
    test split, and training films of the same patients are dropped. Without such a folder, a test split is created.

    Parameters
    ----------
    films
        As returned by `index_films`.
    seed
        The same films and seed give the same split on every machine.
    validation_share, test_share
        Shares of the films, between 0 and 1.

    Raises
    ------
    DataError
        A class does not have enough patients for every split.
    """
    given_test = [film for film in films if film.split == "test"]
    test_patients = {film.patient for film in given_test}
    pool = [film for film in films if film.split != "test" and film.patient not in test_patients]
    shares = {"validation": validation_share, "test": 0.0 if given_test else test_share}
    split_of = _assign_patients(pool, np.random.default_rng(seed), shares)
    return given_test + [replace(film, split=split_of[film.patient]) for film in pool]


def _assign_patients(pool: Sequence[IndexedFilm], rng: np.random.Generator, shares: dict[str, float]) -> dict[str, str]:
    with_pneumonia = {film.patient for film in pool if film.is_pneumonia}
    split_of: dict[str, str] = {}
    for label in LABELS:
        counts = Counter(f.patient for f in pool if (f.patient in with_pneumonia) == (label == LABELS[1]))
        splits = [name for name, share in shares.items() if share > 0]
        if len(counts) <= len(splits):
            problem = f"too few patients ({len(counts)}) for {len(splits) + 1} splits"
            raise DataError(label, problem, "add films of more patients")
        unassigned = list(rng.permutation(sorted(counts)))
        for name in splits:
            wanted, assigned = shares[name] * counts.total(), 0
            while assigned == 0 or (assigned < wanted and len(unassigned) > len(splits)):
                patient = str(unassigned.pop())
                split_of[patient] = name
                assigned += counts[patient]
        split_of.update({str(patient): "train" for patient in unassigned})
    return split_of


def check_splits(films: Sequence[IndexedFilm], name: str) -> None:
    """Check that no patient is in two splits, and that training and validation contain both classes.

    Parameters
    ----------
    films
        All films of all splits.
    name
        Subject of the errors: the file or folder of the split.

    Raises
    ------
    DataError
        A patient is in two splits, a split has an unknown name, or training or validation has no films of a class.
    """
    splits_of: dict[str, set[str]] = defaultdict(set)
    for film in films:
        splits_of[film.patient].add(film.split)
    shared = sorted(patient for patient, splits in splits_of.items() if len(splits) > 1)
    if shared:
        where = " and ".join(sorted(splits_of[shared[0]]))
        problem = f"has patients in more than one split ({len(shared)} in total, for example {shared[0]} in {where})"
        raise DataError(name, problem, "split the films again with pneumo-train split")
    unknown = sorted({film.split for film in films} - set(SPLITS))
    if unknown:
        raise DataError(name, f"has an unknown split {unknown[0]!r}", f"choose from {', '.join(SPLITS)}")
    for split in SPLITS[:2]:
        for label in LABELS:
            if not any(film.split == split and film.label == label for film in films):
                raise DataError(name, f"has no {label} films in {split}", "split the films again, or add films")


def films_in_two_splits(films: Sequence[IndexedFilm], pixels: Film) -> list[list[IndexedFilm]]:
    """Find films in different splits that have identical pixels.

    Parameters
    ----------
    pixels
        uint8 (N, 224, 224, 1), in the order of `films`.

    Returns
    -------
    list of list
        Groups of identical films.
    """
    groups: dict[bytes, list[IndexedFilm]] = defaultdict(list)
    for film, film_pixels in zip(films, pixels, strict=True):
        groups[hashlib.sha256(film_pixels.tobytes()).digest()].append(film)
    return [group for group in groups.values() if len({film.split for film in group}) > 1]


def parse_ratios(text: str) -> tuple[float, float]:
    """Parse ratios of training, validation and test films, such as `80/10/10`.

    Returns
    -------
    tuple
        Shares of validation and test films, between 0 and 1.

    Raises
    ------
    DataError
        The text does not consist of two or three numbers, one is negative, validation is 0, or training gets less than
        half.
    """
    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError:
        parts = []
    if len(parts) not in (2, 3) or min(parts) < 0 or parts[1] <= 0 or parts[0] < sum(parts) / 2:
        raise DataError(f"ratios {text}", "not valid", "write them as 80/10/10, or 80/20 without a test split")
    return parts[1] / sum(parts), (parts[2] if len(parts) == 3 else 0.0) / sum(parts)


def write_split_folders(root: Path, films: Sequence[IndexedFilm], target: Path) -> list[IndexedFilm]:
    """Write train, val and test folders with a folder for each class, and a manifest for `read_manifest`.

    Films are hard links if the file system supports them, else copies. The folder is written under a temporary name and
    renamed at the end.

    Parameters
    ----------
    root
        Folder that the films' paths are relative to.
    target
        Folder to write; new or empty.

    Returns
    -------
    list of IndexedFilm
        The films with their paths in the new folder.

    Raises
    ------
    DataError
        The target is not empty or cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(str(target), "already exists", "name a new or empty folder with --to")
    names = Counter(_target_path(film).as_posix() for film in films)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".split-") as temporary:
            staging, placed = Path(temporary) / target.name, []
            for film in films:
                path = _target_path(film)
                if names[path.as_posix()] > 1:  # the same name in different folders
                    path = path.with_name(film.path.replace("/", "-"))
                _link_or_copy(root / film.path, staging / path)
                placed.append(replace(film, path=path.as_posix()))
            write_manifest(placed, staging / MANIFEST)
            if target.exists():
                target.rmdir()
            staging.rename(target)
    except OSError as error:
        raise DataError(str(target), f"cannot be written ({error.strerror})", "name another folder") from error
    return placed


def _target_path(film: IndexedFilm) -> Path:
    return Path(SPLIT_FOLDERS[film.split], film.label, Path(film.path).name)


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def write_manifest(films: Iterable[IndexedFilm], path: Path) -> None:
    """Write a split as a CSV file with the columns path, label, patient, kind and split."""
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(film, column) for column in COLUMNS] for film in films)


def read_manifest(path: Path) -> list[IndexedFilm]:
    """Read a split written by `write_manifest`.

    Raises
    ------
    DataError
        The file does not exist or has other columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [IndexedFilm(**row) for row in csv.DictReader(file)]
    except (OSError, TypeError) as error:
        remedy = "name a CSV file written by pneumo-train split"
        raise DataError(str(path), f"not a split manifest ({error})", remedy) from error
