"""Index the films of a data set: path, class, patient and split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AliasChoices, BaseModel, Field, StringConstraints

from pneumo_infer.films.search.folders import find_films, is_system_name
from pneumo_train.data.label import Label
from pneumo_train.errors import DataError
from pneumo_train.side_files import SideFile

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)

# Common names of split folders.
FOLDER_SPLITS: dict[str, SplitName] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}

# person1000_bacteria_2931.jpeg; IM-0115-0001.jpeg and NORMAL2-IM-0381-0001.jpeg (two series, numbered separately).
PNEUMONIA_NAME = re.compile(r"(?P<patient>person\d+)_(?P<kind>bacteria|virus)_")
NORMAL_NAME = re.compile(r"(?P<patient>(?:NORMAL2-)?IM-\d+)-")


@dataclass(frozen=True, slots=True)
class IndexedFilm:
    """One film of a data set.

    Attributes
    ----------
    path
        Relative to the data set's root, with forward slashes.
    patient
        Patient, taken from the file name. If the name does not contain one, the path of the film.
    kind
        `bacteria` or `virus` if the file name contains it, else empty.
    split
        `train`, `validation` or `test`; taken from the folder until the films are split.
    """

    path: Annotated[str, Field(min_length=1)]
    label: Label
    patient: Annotated[str, Field(min_length=1)]
    kind: str
    split: SplitName

    @property
    def is_pneumonia(self) -> bool:
        return self.label is Label.PNEUMONIA


@dataclass(frozen=True, slots=True)
class Layout:
    """How a data set is laid out, where folder and file names do not show it.

    Attributes
    ----------
    class_folders
        Label to the names of its folders in lower case; folders match regardless of case.
    patients
        Path relative to the root, or file name, to patient. If given, it must contain every film.
    """

    class_folders: Mapping[Label, frozenset[str]] = field(
        default_factory=lambda: {label: frozenset({label.lower()}) for label in Label}
    )
    patients: Mapping[str, str] | None = None


class PatientRow(BaseModel):
    """A row of a file with patients."""

    path: str = Field(validation_alias=AliasChoices("path", "file"))
    patient: Annotated[str, StringConstraints(strip_whitespace=True)]


def parse_class_folders(given: Iterable[str]) -> dict[Label, frozenset[str]]:
    """Parse `LABEL=FOLDER` entries. A label without an entry keeps the folder of its own name.

    Raises
    ------
    DataError
        An entry does not have that form.
    """
    folders: dict[Label, frozenset[str]] = {}
    for entry in given:
        name, _, folder = entry.partition("=")
        try:
            label = Label(name)
        except ValueError:
            folder = ""
        if not folder:
            raise DataError(entry, "not a class folder", "write it as NORMAL=FOLDER or PNEUMONIA=FOLDER")
        folders[label] = folders.get(label, frozenset()) | {folder.lower()}
    return {label: folders.get(label, frozenset({label.lower()})) for label in Label}


def read_patients(path: Path) -> dict[str, str]:
    """Read a CSV file with the columns `path` (or `file`) and `patient`.

    Returns
    -------
    dict
        Path, with forward slashes, to patient.

    Raises
    ------
    DataError
        The file cannot be read, a column is missing, a row is invalid, or a film has two patients.
    """
    file = SideFile(path, "give a CSV file with the columns path and patient", DataError)
    patients: dict[str, str] = {}
    for line, row in file.rows(PatientRow):
        name = row.path.replace("\\", "/")
        if patients.setdefault(name, row.patient) != row.patient:
            raise file.wrong(f"{name!r} already has the patient {patients[name]!r}", line)
    return patients


def index_films(root: Path, layout: Layout = Layout()) -> list[IndexedFilm]:  # frozen
    """List the films of a data set, sorted by path.

    Parameters
    ----------
    root
        Folder that contains `train`, and optionally `val` and `test`, with a folder for each class; or the class
        folders themselves; or only one folder that contains either. Names match regardless of case, and files that are
        not films are ignored.
    layout
        Names of the class folders, and patients, if they differ from the default.

    Raises
    ------
    DataError
        The folder does not exist, a class has no films, or the given patients do not cover all films.
    """
    films = films_in_class_folders(root, layout)
    for label, names in layout.class_folders.items():
        if not any(film.label == label for film in films):
            remedy = f"put films in {'/'.join(sorted(names))}, or name their folder with --class-folder {label}=FOLDER"
            raise DataError(str(root), f"contains no {label} films", remedy)
    named = films if layout.patients is None else _with_patients(films, layout.patients)
    return sorted(named, key=lambda film: film.path)


def films_in_class_folders(root: Path, layout: Layout) -> list[IndexedFilm]:
    """List the films in the class folders of a data set, if it has any, with the patients of their file names.

    Raises
    ------
    DataError
        The data set is not a folder, or a folder in it cannot be read.
    """
    if not root.is_dir():
        remedy = "set --data to the folder that contains train/NORMAL and train/PNEUMONIA"
        raise DataError(str(root), "not a folder", remedy)
    try:
        return [
            _index_film(path, root, label, split)
            for folder, split in _split_folders(_descend(root, layout))
            for label, names in layout.class_folders.items()
            for class_folder in _folders(folder)
            if class_folder.name.lower() in names
            for path in _films_in(class_folder)
        ]
    except OSError as error:
        raise DataError(str(error.filename), f"cannot be read ({error.strerror})", "make it readable") from error


def _films_in(folder: Path) -> list[Path]:
    found = find_films(folder)
    if found.closed_folders:
        raise DataError(found.closed_folders[0], "cannot be listed, so its films would be missing", "make it readable")
    if found.not_files:
        raise DataError(found.not_files[0], "a pipe, socket or device with the name of a film", "remove or rename it")
    return [Path(film) for film in found.films]


def unnamed_patients(films: Iterable[IndexedFilm]) -> int:
    """Count the films without a patient in their file name; each of them is treated as a separate patient."""
    return sum(film.patient == film.path for film in films)


def _descend(root: Path, layout: Layout) -> Path:
    """Follow folders that only contain one other folder, as unpacked archives often do."""
    known = set(FOLDER_SPLITS).union(*layout.class_folders.values())
    folders = _folders(root)
    if len(folders) == 1 and folders[0].name.lower() not in known:
        return _descend(folders[0], layout)
    return root


def _split_folders(root: Path) -> list[tuple[Path, SplitName]]:
    named = [
        (child, FOLDER_SPLITS[child.name.lower()]) for child in _folders(root) if child.name.lower() in FOLDER_SPLITS
    ]
    return named or [(root, "train")]


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and not is_system_name(child.name))


def _index_film(path: Path, root: Path, label: Label, split: SplitName) -> IndexedFilm:
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
            f"has no patient in the --patients file (films without one: {len(without)})",
            "add every film to that file",
        )
    return named
