"""Films dealt out to splits that never share a patient."""

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
    """Deal the films out to train, validation and test so that no patient is in two of them.

    Each class is dealt apart, so that each split has the same share of it. Films from a `test` folder stay the test
    split; training films of the same patients are then left out. Without such a folder a test split is dealt too.

    Parameters
    ----------
    films
        As `index_films` gives them.
    seed
        The same films and seed give the same split on every machine.
    validation_share, test_share
        Shares of the films, between 0 and 1.

    Raises
    ------
    DataError
        A class has too few patients to have one in every split.
    """
    given_test = [film for film in films if film.split == "test"]
    tested = {film.patient for film in given_test}
    pool = [film for film in films if film.split != "test" and film.patient not in tested]
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
            raise DataError(
                label, f"has {len(counts)} patients, too few for {len(splits) + 1} splits", "add films of more patients"
            )
        waiting = list(rng.permutation(sorted(counts)))
        for name in splits:
            wanted, assigned = shares[name] * counts.total(), 0
            while assigned == 0 or (assigned < wanted and len(waiting) > len(splits)):
                patient = str(waiting.pop())
                split_of[patient] = name
                assigned += counts[patient]
        split_of.update({str(patient): "train" for patient in waiting})
    return split_of


def check_splits(films: Sequence[IndexedFilm], name: str) -> None:
    """Hold a split against what makes its figures honest.

    Raises
    ------
    DataError
        A patient is in two splits, or training or validation lacks a class.
    """
    splits_of: dict[str, set[str]] = defaultdict(set)
    for film in films:
        splits_of[film.patient].add(film.split)
    shared = sorted(patient for patient, splits in splits_of.items() if len(splits) > 1)
    if shared:
        where = " and ".join(sorted(splits_of[shared[0]]))
        raise DataError(
            name,
            f"has {len(shared)} patients in two splits, {shared[0]} in {where} first",
            "deal them out again with pneumo-train split",
        )
    unknown = sorted({film.split for film in films} - set(SPLITS))
    if unknown:
        raise DataError(name, f"has a split {unknown[0]!r}", f"name them {', '.join(SPLITS)}")
    for split in SPLITS[:2]:
        for label in LABELS:
            if not any(film.split == split and film.label == label for film in films):
                raise DataError(name, f"has no {label} film in {split}", "deal the films out again, or add some")


def films_in_two_splits(films: Sequence[IndexedFilm], pixels: Film) -> list[list[IndexedFilm]]:
    """Find films that are equal pixel for pixel although they are in different splits.

    Parameters
    ----------
    pixels
        uint8 (N, 224, 224, 1), in the order of `films`.

    Returns
    -------
    list of list
        The films of each group.
    """
    groups: dict[bytes, list[IndexedFilm]] = defaultdict(list)
    for film, seen in zip(films, pixels, strict=True):
        groups[hashlib.sha256(seen.tobytes()).digest()].append(film)
    return [group for group in groups.values() if len({film.split for film in group}) > 1]


def parse_ratios(text: str) -> tuple[float, float]:
    """Read `80/10/10`: the shares of training, validation and test, as shares of validation and test.

    Raises
    ------
    DataError
        The text is not two or three positive numbers, or leaves less than half to training.
    """
    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError:
        parts = []
    if len(parts) not in (2, 3) or min(parts) < 0 or parts[1] <= 0 or parts[0] < sum(parts) / 2:
        raise DataError(f"ratios {text}", "cannot be dealt", "write them as 80/10/10, or 80/20 without a test split")
    return parts[1] / sum(parts), (parts[2] if len(parts) == 3 else 0.0) / sum(parts)


def write_split_folders(root: Path, films: Sequence[IndexedFilm], target: Path) -> list[IndexedFilm]:
    """Write train, val and test folders with a folder for each class, and the manifest that can be read back.

    Films are hard links where the file system allows, else copies. Everything is made aside and moved into place at the
    end.

    Returns
    -------
    list of IndexedFilm
        The films as they lie in the new folder.

    Raises
    ------
    DataError
        The target is not empty or cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(str(target), "is there already", "name an empty or new folder with --to")
    names = Counter(_place(film).as_posix() for film in films)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".split-") as aside:
            made, placed = Path(aside) / target.name, []
            for film in films:
                place = _place(film)
                if names[place.as_posix()] > 1:  # equal names from different folders
                    place = place.with_name(film.path.replace("/", "-"))
                _link_or_copy(root / film.path, made / place)
                placed.append(replace(film, path=place.as_posix()))
            write_manifest(placed, made / MANIFEST)
            if target.exists():
                target.rmdir()
            made.rename(target)
    except OSError as error:
        raise DataError(str(target), f"cannot be written ({error.strerror})", "name another folder") from error
    return placed


def _place(film: IndexedFilm) -> Path:
    return Path(SPLIT_FOLDERS[film.split], film.label, Path(film.path).name)


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def write_manifest(films: Iterable[IndexedFilm], path: Path) -> None:
    """Write a split as CSV: path, label, patient, kind, split."""
    with atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(film, column) for column in COLUMNS] for film in films)


def read_manifest(path: Path) -> list[IndexedFilm]:
    """Read a split that `write_manifest` wrote.

    Raises
    ------
    DataError
        The file is missing or has other columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [IndexedFilm(**row) for row in csv.DictReader(file)]
    except (OSError, TypeError) as error:
        raise DataError(
            str(path), f"is no split manifest ({error})", "name a CSV file that pneumo-train split wrote"
        ) from error
