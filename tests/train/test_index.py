"""Films are indexed in common folder layouts."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from made_films import SHARED_FILMS, write_chest_xray

from pneumo_train.data.index import Layout, index_films, parse_class_folders, read_patients, unnamed_patients
from pneumo_train.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_names_tell_patient_and_kind(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "train/NORMAL/IM-0115-0001.jpeg",
        "train/NORMAL/NORMAL2-IM-0115-0001-0002.jpeg",
        "train/PNEUMONIA/person1000_bacteria_2931.jpeg",
        "train/PNEUMONIA/person1000_virus_1681.jpeg",
        "train/PNEUMONIA/scan 7.PNG",
    )
    films = {Path(f.path).name: (f.patient, f.kind) for f in index_films(tmp_path)}
    assert films == {
        "IM-0115-0001.jpeg": ("IM-0115", ""),
        "NORMAL2-IM-0115-0001-0002.jpeg": ("NORMAL2-IM-0115", ""),
        "person1000_bacteria_2931.jpeg": ("person1000", "bacteria"),
        "person1000_virus_1681.jpeg": ("person1000", "virus"),
        "scan 7.PNG": ("train/PNEUMONIA/scan 7.PNG", ""),
    }
    assert unnamed_patients(index_films(tmp_path)) == 1


def test_layouts(tmp_path: Path) -> None:
    flat = touch(tmp_path / "flat", "normal/a.jpg", "Pneumonia/b.png", "Pneumonia/notes.txt", "Pneumonia/._b.png")
    assert [(f.path, f.split) for f in index_films(flat)] == [("Pneumonia/b.png", "train"), ("normal/a.jpg", "train")]
    full = touch(
        tmp_path / "full",
        *(f"{split}/{label}/{split}.jpeg" for split in ("train", "val", "test") for label in ("NORMAL", "PNEUMONIA")),
    )
    assert Counter(f.split for f in index_films(full)) == {"train": 2, "validation": 2, "test": 2}
    # As archives unpack: one folder in another, and what operating systems leave behind.
    packed = touch(tmp_path / "packed", "Chest_XRay/TRAIN/NORMAL/a.jpeg", "Chest_XRay/TRAIN/PNEUMONIA/b.dcm")
    touch(packed, "__MACOSX/train/NORMAL/._a.jpeg", ".DS_Store", "Chest_XRay/TRAIN/readme.txt")
    assert [f.path for f in index_films(packed)] == [
        "Chest_XRay/TRAIN/NORMAL/a.jpeg",
        "Chest_XRay/TRAIN/PNEUMONIA/b.dcm",
    ]


def test_class_folders_by_name(tmp_path: Path) -> None:
    root = touch(tmp_path, "train/Healthy/a.png", "train/bacterial/b.png", "train/viral/c.png", "train/other/d.png")
    folders = parse_class_folders(["NORMAL=healthy", "pneumonia=Bacterial", "PNEUMONIA=Viral"])
    labels = {Path(f.path).name: f.label for f in index_films(root, Layout(folders))}
    assert labels == {"a.png": "NORMAL", "b.png": "PNEUMONIA", "c.png": "PNEUMONIA"}
    with pytest.raises(DataError, match="HEALTHY=x: not a class folder; write it as NORMAL=FOLDER"):
        parse_class_folders(["HEALTHY=x"])
    with pytest.raises(DataError, match="name their folder with --class-folder NORMAL=FOLDER"):
        index_films(root)


def test_patients_from_a_file(tmp_path: Path) -> None:
    root = touch(tmp_path / "films", "NORMAL/a.png", "NORMAL/b.png", "PNEUMONIA/c.png")
    listed = tmp_path / "patients.csv"
    listed.write_text("path,patient,age\nNORMAL/a.png,7,3\nb.png,7,3\nPNEUMONIA\\c.png,8,4\n", encoding="utf-8-sig")
    films = index_films(root, Layout(patients=read_patients(listed)))
    assert [f.patient for f in films] == ["7", "7", "8"]
    listed.write_text("path,patient\nNORMAL/a.png,7\n")
    with pytest.raises(DataError, match=r"NORMAL/b\.png: has no patient in .*\(films without one: 2\)"):
        index_films(root, Layout(patients=read_patients(listed)))
    listed.write_text("name,who\nNORMAL/a.png,7\n")
    with pytest.raises(DataError, match="line 1: has no column path; give a CSV file with the columns"):
        read_patients(listed)
    with pytest.raises(DataError, match="cannot be read"):
        read_patients(tmp_path / "gone.csv")


def test_what_cannot_be_trained_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder"):
        index_films(tmp_path / "gone")
    with pytest.raises(DataError, match="contains no PNEUMONIA films"):
        index_films(touch(tmp_path / "one", "train/NORMAL/a.png"))


def test_a_folder_that_cannot_be_listed_is_not_left_out(tmp_path: Path) -> None:
    root = touch(tmp_path, "train/NORMAL/a.png", "train/NORMAL/closed/b.png", "train/PNEUMONIA/c.png")
    closed = root / "train/NORMAL/closed"
    closed.chmod(0)
    if os.access(closed, os.R_OK):
        pytest.skip("root reads all folders")
    try:
        with pytest.raises(DataError, match="closed: cannot be listed, so its films would be missing"):
            index_films(root)
    finally:
        closed.chmod(0o755)


def test_the_films_at_hand_are_indexed_whole(tmp_path: Path) -> None:
    real = SHARED_FILMS / "chest_xray"
    root = real if real.exists() else write_chest_xray(tmp_path, patients=8)
    films = index_films(root)
    assert unnamed_patients(films) == 0
    assert {f.kind for f in films if f.is_pneumonia} == ({"bacteria", "virus"} if root == real else {"virus"})
    assert {f.kind for f in films if not f.is_pneumonia} == {""}


def test_a_pipe_among_the_films_is_not_skipped_in_silence(tmp_path: Path) -> None:
    write_chest_xray(tmp_path, patients=2)
    os.mkfifo(tmp_path / "train" / "NORMAL" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png: a pipe, socket or device with the name of a film; remove"):
        index_films(tmp_path)
