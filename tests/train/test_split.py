"""Splits share no patient, in memory and as folders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from made_films import write_chest_xray

from pneumo_train.data.index import IndexedFilm, SplitName, index_films
from pneumo_train.data.label import Label
from pneumo_train.data.manifest import read_manifest, write_manifest
from pneumo_train.data.split import (
    check_splits,
    films_in_two_splits,
    parse_ratios,
    split_by_patient,
    write_split_folders,
)
from pneumo_train.errors import DataError


def film(patient: str, index: int, label: str, split: SplitName = "train") -> IndexedFilm:
    return IndexedFilm(f"{split}/{label}/{patient}-{index}.jpeg", Label(label), patient, "", split)


def many_films() -> list[IndexedFilm]:
    """200 normal patients with 1 to 3 films, 100 with pneumonia and 1 to 7."""
    normal = [film(f"n{p}", i, "NORMAL") for p in range(200) for i in range(1 + p % 3)]
    return normal + [film(f"p{p}", i, "PNEUMONIA") for p in range(100) for i in range(1 + p % 7)]


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
    assert read_manifest(tmp_path / "split.csv", tmp_path) == split
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"other\.csv, line 1: has no column path; correct it, or write a new one"):
        read_manifest(tmp_path / "other.csv", tmp_path)


def test_too_few_patients() -> None:
    films = [film(f"{label}{p}", 0, label) for label in ("NORMAL", "PNEUMONIA") for p in "ab"]
    with pytest.raises(DataError, match=r"NORMAL: too few patients \(2\) for 3 splits"):
        split_by_patient(films, 1, 0.1, 0.1)
    with pytest.raises(DataError, match=r"NORMAL: too few patients \(1\) for 2 splits"):
        split_by_patient([film("a", i, "NORMAL") for i in range(9)], 1, 0.1, 0.0)
    with pytest.raises(DataError, match=r"PNEUMONIA: too few patients \(0\)"):
        split_by_patient([film(f"n{p}", 0, "NORMAL") for p in range(9)], 1, 0.1, 0.1)


def test_a_split_that_would_lie_is_refused() -> None:
    fair = [film(f"{label}{s}", 0, label, s) for label in ("NORMAL", "PNEUMONIA") for s in ("train", "validation")]
    check_splits(fair, "split.csv")
    with pytest.raises(DataError, match=r"split\.csv: has patients in more .*\(1 in total, .* NORMALtrain in test and"):
        check_splits([*fair, film("NORMALtrain", 1, "NORMAL", "test")], "split.csv")
    with pytest.raises(DataError, match="has no PNEUMONIA films in validation"):
        check_splits(fair[:3], "split.csv")


def test_equal_films_in_different_splits_are_found() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 224, 224, 1), dtype=np.uint8)
    pixels[3] = pixels[0]
    pixels[4] = pixels[1]
    splits: list[SplitName] = ["train", "train", "train", "test", "train"]
    films = [film(f"p{i}", 0, "NORMAL", split) for i, split in enumerate(splits)]
    assert films_in_two_splits(films, pixels) == [[films[0], films[3]]]


@pytest.mark.parametrize(
    ("text", "shares"),
    [("80/10/10", (0.1, 0.1)), ("70/20/10", (0.2, 0.1)), ("4/1", (0.2, 0.0)), ("0.8/0.1/0.1", (0.1, 0.1))],
)
def test_ratios(text: str, shares: tuple[float, float]) -> None:
    assert parse_ratios(text) == pytest.approx(shares)


@pytest.mark.parametrize(
    "text", ["80", "80/x", "10/80/10", "100/0/0", "80/10/10/10", "-80/10/10", "", "80/nan/10", "inf/1/1"]
)
def test_invalid_ratios(text: str) -> None:
    with pytest.raises(DataError, match="not valid; write them as 80/10/10"):
        parse_ratios(text)


def test_split_folders_hold_every_film_once(tmp_path: Path) -> None:
    root = write_chest_xray(tmp_path / "from", patients=10)
    split = split_by_patient(index_films(root), 5, 0.2, 0.2)
    placed = write_split_folders(root, split, tmp_path / "to")
    assert read_manifest(tmp_path / "to" / "split.csv", tmp_path / "to") == placed
    assert {f.path.split("/")[0] for f in placed} == {"train", "val", "test"}
    for before, after in zip(split, placed, strict=True):
        assert (root / before.path).samefile(tmp_path / "to" / after.path)  # a hard link, not a copy
        assert (before.label, before.patient, before.split) == (after.label, after.patient, after.split)
    assert [(f.path, f.split) for f in index_films(tmp_path / "to")] == sorted((f.path, f.split) for f in placed)


def test_equal_names_from_different_folders_both_survive(tmp_path: Path) -> None:
    films = []
    for folder in ("monday", "friday", "mon-day", "mon/day"):
        (tmp_path / "from" / folder).mkdir(parents=True)
        (tmp_path / "from" / folder / "a.png").write_text(folder)
        films.append(IndexedFilm(f"{folder}/a.png", Label.NORMAL, folder, "", "train"))
    placed = write_split_folders(tmp_path / "from", films, tmp_path / "to")
    assert [(tmp_path / "to" / f.path).read_text() for f in placed] == ["monday", "friday", "mon-day", "mon/day"]
    assert [(tmp_path / "from" / f.path).read_text() for f in films] == ["monday", "friday", "mon-day", "mon/day"]


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    root = write_chest_xray(tmp_path / "from", patients=6)
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "notes.txt").touch()
    with pytest.raises(DataError, match="already exists; name a new or empty folder"):
        write_split_folders(root, split_by_patient(index_films(root), 5, 0.2, 0.2), tmp_path / "to")
    assert [entry.name for entry in (tmp_path / "to").iterdir()] == ["notes.txt"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["from", "to"]


def test_an_interrupted_split_leaves_nothing(tmp_path: Path) -> None:
    films = [film("gone", 0, "NORMAL")]
    with pytest.raises(DataError, match="cannot be written"):
        write_split_folders(tmp_path, films, tmp_path / "to")
    assert list(tmp_path.iterdir()) == []
