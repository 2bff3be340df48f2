"""Folders of films to an index: which film is of which class, and of which patient."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pneumo_infer.films.raster import FILE_SUFFIXES
from pneumo_infer.model.info import LABELS
from pneumo_train.errors import DataError

# What people call the split folders.
FOLDER_SPLITS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}

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
        `train`, `validation` or `test`; by folder until the films are dealt out.
    """

    path: str
    label: str
    patient: str
    kind: str
    split: str

    @property
    def is_pneumonia(self) -> bool:
        return self.label == LABELS[1]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a data set is laid out, beyond what its names tell.

    Attributes
    ----------
    class_folders
        Label to the names of its folders; capitals do not matter.
    patients
        Path, relative to the root, or bare file name, to patient; where given, it must name every film.
    """

    class_folders: Mapping[str, frozenset[str]] = field(
        default_factory=lambda: {label: frozenset({label.lower()}) for label in LABELS}
    )
    patients: Mapping[str, str] | None = None


def parse_class_folders(given: Iterable[str]) -> dict[str, frozenset[str]]:
    """Read `LABEL=FOLDER` entries; a label that none of them names keeps a folder of its own name.

    Raises
    ------
    DataError
        An entry is not of that form.
    """
    folders: dict[str, frozenset[str]] = {}
    for entry in given:
        label, _, folder = entry.partition("=")
        if label.upper() not in LABELS or not folder:
            raise DataError(entry, "is no class folder", "write it as NORMAL=FOLDER or PNEUMONIA=FOLDER")
        folders[label.upper()] = folders.get(label.upper(), frozenset()) | {folder.lower()}
    return {label: folders.get(label, frozenset({label.lower()})) for label in LABELS}


def read_patients(path: Path) -> dict[str, str]:
    """Read a CSV file with the columns `path` (or `file`) and `patient`.

    Raises
    ------
    DataError
        The file cannot be read or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(str(path), f"cannot be read ({error})", "give a CSV file with columns path, patient") from error
    name = next((column for column in ("path", "file") if rows and column in rows[0]), None)
    if name is None or "patient" not in rows[0]:
        raise DataError(str(path), "lacks the columns path and patient", "name them in its first line")
    return {row[name].replace("\\", "/"): row["patient"].strip() for row in rows}


def index_films(root: Path, layout: Layout = Layout()) -> list[IndexedFilm]:  # frozen
    """List the films below a data set's root, sorted by path.

    Parameters
    ----------
    root
        Holds `train`, and perhaps `val` and `test`, each with a folder for each class; or the class folders themselves;
        or nothing but one folder that does. Capitals do not matter; files of other kinds are passed over.

    Raises
    ------
    DataError
        The folder is missing, one of the classes has no film, or the patients of some films are not given.
    """
    if not root.is_dir():
        raise DataError(str(root), "is not a folder", "give --data the folder that holds train/NORMAL, train/PNEUMONIA")
    films = [
        _index_film(path, root, label, split)
        for folder, split in _split_folders(_descend(root, layout))
        for label, names in layout.class_folders.items()
        for class_folder in _folders(folder)
        if class_folder.name.lower() in names
        for path in class_folder.rglob("*")
        if path.suffix.lower() in FILE_SUFFIXES and not path.name.startswith(".")
    ]
    for label, names in layout.class_folders.items():
        if not any(film.label == label for film in films):
            remedy = f"put films in {'/'.join(sorted(names))}, or name their folder with --class-folder {label}=FOLDER"
            raise DataError(str(root), f"has no {label} film", remedy)
    named = films if layout.patients is None else _with_patients(films, layout.patients)
    return sorted(named, key=lambda film: film.path)


def unnamed_patients(films: Iterable[IndexedFilm]) -> int:
    """Count the films whose name does not say who the patient is, so that each counts as a patient of its own."""
    return sum(film.patient == film.path for film in films)


def _descend(root: Path, layout: Layout) -> Path:
    """Follow archives that hold one folder, which holds the data set."""
    known = set(FOLDER_SPLITS).union(*layout.class_folders.values())
    folders = _folders(root)
    if len(folders) == 1 and folders[0].name.lower() not in known:
        return _descend(folders[0], layout)
    return root


def _split_folders(root: Path) -> list[tuple[Path, str]]:
    named = [
        (child, FOLDER_SPLITS[child.name.lower()]) for child in _folders(root) if child.name.lower() in FOLDER_SPLITS
    ]
    return named or [(root, "train")]


def _folders(folder: Path) -> list[Path]:
    hidden = (".", "__MACOSX")
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(hidden))


def _index_film(path: Path, root: Path, label: str, split: str) -> IndexedFilm:
    relative = path.relative_to(root).as_posix()
    named = PNEUMONIA_NAME.match(path.name) or NORMAL_NAME.match(path.name)
    if named is None:
        return IndexedFilm(relative, label, relative, "", split)
    return IndexedFilm(relative, label, named["patient"], named.groupdict().get("kind") or "", split)


def _with_patients(films: list[IndexedFilm], patients: Mapping[str, str]) -> list[IndexedFilm]:
    named = [replace(film, patient=patients.get(film.path) or patients.get(Path(film.path).name, "")) for film in films]
    without = [film.path for film in named if not film.patient]
    if without:
        raise DataError(
            without[0],
            f"and {len(without) - 1} other films have no patient in the file given",
            "add them to --patients",
        )
    return named
