"""Folders to films, films to splits without a shared patient."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from made_films import SHARED_FILMS, write_chest_xray

from pneumo_train.dataset import (
    IndexedFilm,
    index_films,
    read_manifest,
    split_by_patient,
    unnamed_patients,
    write_manifest,
)
from pneumo_train.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def film(patient: str, index: int, label: str, split: str = "train") -> IndexedFilm:
    return IndexedFilm(f"{split}/{label}/{patient}-{index}.jpeg", label, patient, "", split)


def many_films() -> list[IndexedFilm]:
    """200 normal patients with 1 to 3 films, 100 with pneumonia and 1 to 7."""
    normal = [film(f"n{p}", i, "NORMAL") for p in range(200) for i in range(1 + p % 3)]
    return normal + [film(f"p{p}", i, "PNEUMONIA") for p in range(100) for i in range(1 + p % 7)]


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
    assert Counter(f.split for f in index_films(full)) == {"train": 4, "test": 2}


def test_what_cannot_be_trained_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        index_films(tmp_path / "gone")
    with pytest.raises(DataError, match="has no PNEUMONIA film"):
        index_films(touch(tmp_path / "one", "train/NORMAL/a.png", "test/PNEUMONIA/b.png"))
    with pytest.raises(DataError, match="NORMAL: has 2 patients, too few for 3 splits"):
        split_by_patient(
            [film(f"{label}{p}", 0, label) for label in ("NORMAL", "PNEUMONIA") for p in "ab"], 1, 0.1, 0.1
        )


def test_splits_share_no_patient_and_keep_the_classes() -> None:
    films = many_films()
    split = split_by_patient(films, seed=1, validation_share=0.2, test_share=0.1)
    assert sorted(f.path for f in split) == sorted(f.path for f in films)
    splits_of = {f.patient: {g.split for g in split if g.patient == f.patient} for f in split}
    assert all(len(names) == 1 for names in splits_of.values())
    for label in ("NORMAL", "PNEUMONIA"):
        counts = Counter(f.split for f in split if f.label == label)
        assert counts["validation"] / counts.total() == pytest.approx(0.2, abs=0.03)
        assert counts["test"] / counts.total() == pytest.approx(0.1, abs=0.03)


def test_the_seed_decides_the_split() -> None:
    films = many_films()
    once = split_by_patient(films, 1, 0.1, 0.1)
    assert once == split_by_patient(list(films), 1, 0.1, 0.1)
    assert once != split_by_patient(films, 2, 0.1, 0.1)


def test_a_test_folder_stays_the_test_split_and_its_patients_leave_training() -> None:
    films = [*many_films(), film("n0", 9, "NORMAL", "test"), film("p6", 9, "PNEUMONIA", "test")]
    split = split_by_patient(films, 1, 0.1, 0.1)
    assert [f.path for f in split if f.split == "test"] == ["test/NORMAL/n0-9.jpeg", "test/PNEUMONIA/p6-9.jpeg"]
    assert not {f.patient for f in split if f.split != "test"} & {"n0", "p6"}


def test_a_patient_with_both_classes_stays_in_one_split() -> None:
    films = [*many_films(), *(film(f"p{p}", 99, "NORMAL") for p in range(40))]
    split = split_by_patient(films, 3, 0.2, 0.2)
    assert all(len({g.split for g in split if g.patient == f"p{p}"}) == 1 for p in range(40))


def test_the_manifest_reads_back(tmp_path: Path) -> None:
    split = split_by_patient(many_films(), 1, 0.1, 0.1)
    write_manifest(split, tmp_path / "split.csv")
    assert read_manifest(tmp_path / "split.csv") == split
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is no split manifest"):
        read_manifest(tmp_path / "other.csv")


def test_the_films_at_hand_are_indexed_whole(tmp_path: Path) -> None:
    real = SHARED_FILMS / "chest_xray"
    root = real if real.exists() else write_chest_xray(tmp_path, patients=8)
    films = index_films(root)
    assert unnamed_patients(films) == 0
    assert {f.kind for f in films if f.is_pneumonia} == ({"bacteria", "virus"} if root == real else {"virus"})
    assert {f.kind for f in films if not f.is_pneumonia} == {""}
