"""Folders of films to an index, and the index to splits that never share a patient."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pneumo_infer.files import write_whole
from pneumo_infer.images import FILE_SUFFIXES
from pneumo_infer.model import LABELS
from pneumo_train.errors import DataError

SPLITS = ("train", "validation", "test")
# What people call the split folders; the public validation folder has 16 films and is pooled with train.
FOLDER_SPLITS = {"train": "train", "val": "train", "valid": "train", "validation": "train", "test": "test"}

# person1000_bacteria_2931.jpeg; IM-0115-0001.jpeg and NORMAL2-IM-0381-0001.jpeg (two series, numbered apart).
PNEUMONIA_NAME = re.compile(r"(?P<patient>person\d+)_(?P<kind>bacteria|virus)_")
NORMAL_NAME = re.compile(r"(?P<patient>(?:NORMAL2-)?IM-\d+)-")


@dataclass(frozen=True, slots=True)
class IndexedFilm:
    """One film of a data set.

    Attributes
    ----------
    path
        Relative to the data set's root, with forward slashes.
    label
        NORMAL or PNEUMONIA.
    patient
        Who was filmed: taken from the file name, or the file itself where the name does not say.
    kind
        `bacteria`, `virus`, or empty where the name does not say.
    split
        `train`, `validation` or `test`; before `split_by_patient` only `train` and `test`, by folder.
    """

    path: str
    label: str
    patient: str
    kind: str
    split: str

    @property
    def is_pneumonia(self) -> bool:
        return self.label == LABELS[1]


def index_films(root: Path) -> list[IndexedFilm]:
    """List the films below a data set's root, sorted by path.

    Parameters
    ----------
    root
        Holds `train`, and perhaps `val` and `test`, each with a NORMAL and a PNEUMONIA folder; or these two
        folders themselves. Capitals do not matter; files of other kinds are passed over.

    Raises
    ------
    DataError
        The folder is missing, or one of the classes has no film.
    """
    if not root.is_dir():
        raise DataError(str(root), "is not a folder", "give --data the folder that holds train/NORMAL, train/PNEUMONIA")
    films = [
        _index_film(path, root, label, split)
        for folder, split in _split_folders(root)
        for label in LABELS
        for class_folder in _subfolders(folder, label)
        for path in class_folder.rglob("*")
        if path.suffix.lower() in FILE_SUFFIXES and not path.name.startswith(".")
    ]
    for label in LABELS:
        if not any(film.label == label and film.split == "train" for film in films):
            raise DataError(str(root), f"has no {label} film to train on", f"put JPEG or PNG films in train/{label}")
    return sorted(films, key=lambda film: film.path)


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
    split_of = _deal_patients(pool, np.random.default_rng(seed), shares)
    return given_test + [replace(film, split=split_of[film.patient]) for film in pool]


def _deal_patients(pool: Sequence[IndexedFilm], rng: np.random.Generator, shares: dict[str, float]) -> dict[str, str]:
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
            wanted, dealt = shares[name] * counts.total(), 0
            while dealt == 0 or (dealt < wanted and len(waiting) > len(splits)):
                patient = str(waiting.pop())
                split_of[patient] = name
                dealt += counts[patient]
        split_of.update({str(patient): "train" for patient in waiting})
    return split_of


def write_manifest(films: Iterable[IndexedFilm], path: Path) -> None:
    """Write a split as CSV: path, label, patient, kind, split."""
    with write_whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(IndexedFilm.__slots__)
        writer.writerows([getattr(film, field) for field in IndexedFilm.__slots__] for film in films)


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
            str(path), f"is no split manifest ({error})", "train again, or restore the run folder"
        ) from error


def unnamed_patients(films: Iterable[IndexedFilm]) -> int:
    """Count the films whose name does not say who the patient is, so that each counts as a patient of its own."""
    return sum(film.patient == film.path for film in films)


def _split_folders(root: Path) -> list[tuple[Path, str]]:
    named = [
        (child, FOLDER_SPLITS[child.name.lower()]) for child in _folders(root) if child.name.lower() in FOLDER_SPLITS
    ]
    return named or [(root, "train")]


def _subfolders(folder: Path, name: str) -> list[Path]:
    return [child for child in _folders(folder) if child.name.upper() == name]


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir())


def _index_film(path: Path, root: Path, label: str, split: str) -> IndexedFilm:
    relative = path.relative_to(root).as_posix()
    named = PNEUMONIA_NAME.match(path.name) or NORMAL_NAME.match(path.name)
    if named is None:
        return IndexedFilm(relative, label, relative, "", split)
    return IndexedFilm(relative, label, named["patient"], named.groupdict().get("kind") or "", split)
