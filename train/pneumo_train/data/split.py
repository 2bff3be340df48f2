"""Split films so that no patient is in two splits."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path

import numpy as np

from pneumo_infer.films.raster import Film
from pneumo_train.data.index import SPLITS, IndexedFilm, SplitName
from pneumo_train.data.label import Label
from pneumo_train.data.manifest import MANIFEST, write_manifest
from pneumo_train.errors import DataError

SPLIT_FOLDERS: dict[SplitName, str] = {"train": "train", "validation": "val", "test": "test"}


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
    shares: dict[SplitName, float] = {"validation": validation_share, "test": 0.0 if given_test else test_share}
    split_of = _assign_patients(pool, np.random.default_rng(seed), shares)
    return given_test + [replace(film, split=split_of[film.patient]) for film in pool]


def _assign_patients(
    pool: Sequence[IndexedFilm], rng: np.random.Generator, shares: dict[SplitName, float]
) -> dict[str, SplitName]:
    with_pneumonia = {film.patient for film in pool if film.is_pneumonia}
    split_of: dict[str, SplitName] = {}
    for label in Label:
        counts = Counter(f.patient for f in pool if (f.patient in with_pneumonia) == (label is Label.PNEUMONIA))
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
        A patient is in two splits, or training or validation has no films of a class.
    """
    splits_of: dict[str, set[str]] = defaultdict(set)
    for film in films:
        splits_of[film.patient].add(film.split)
    shared = sorted(patient for patient, splits in splits_of.items() if len(splits) > 1)
    if shared:
        where = " and ".join(sorted(splits_of[shared[0]]))
        problem = f"has patients in more than one split ({len(shared)} in total, for example {shared[0]} in {where})"
        raise DataError(name, problem, "split the films again with pneumo-train split")
    for split in SPLITS[:2]:
        for label in Label:
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
    valid = len(parts) in (2, 3) and all(isfinite(part) and part >= 0 for part in parts)
    if not valid or parts[1] == 0 or parts[0] < sum(parts) / 2:
        raise DataError(f"ratios {text}", "not valid", "write them as 80/10/10, or 80/20 without a test split")
    return parts[1] / sum(parts), (parts[2] if len(parts) == 3 else 0.0) / sum(parts)


def write_split_folders(root: Path, films: Sequence[IndexedFilm], target: Path) -> list[IndexedFilm]:
    """Write train, val and test folders with a folder for each class, and a manifest for `read_manifest`.

    Films are hard links if the file system supports them, else copies. Films of the same name get distinct names. The
    folder is written under a temporary name and renamed at the end.

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
    names = Counter(_target_path(film).as_posix().lower() for film in films)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".split-") as temporary:
            staging, placed = Path(temporary) / target.name, []
            for film in films:
                path = _target_path(film)
                if names[path.as_posix().lower()] > 1:  # in different folders, or on a disk that ignores case
                    path = path.with_name(_distinct_name(film.path))
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


def _distinct_name(path: str) -> str:
    """Return a name that starts like the file name, differs for different paths, and is short enough for any disk."""
    name, digest = Path(path), hashlib.sha256(path.encode()).hexdigest()[:12]
    return f"{name.stem[:48]}-{digest}{name.suffix[:8]}"


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:  # never copy into what may be a link to another film
        raise
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
