"""A label is one of two, from the folder to the figures; anything else stops a training before it starts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from made_films import write_chest_xray

from pneumo_infer.model.info import LABELS
from pneumo_train.data.index import Layout, index_films
from pneumo_train.data.label import Label
from pneumo_train.data.manifest import read_manifest, write_manifest
from pneumo_train.data.prepare import compare_with_folders
from pneumo_train.errors import DataError

HEADER = "path,label,patient,kind,split\n"


def write_split(folder: Path, *labels: str) -> Path:
    rows = [f"train/a{number}.png,{label},p{number},,train\n" for number, label in enumerate(labels)]
    (folder / "split.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    return folder / "split.csv"


def test_the_labels_are_those_of_the_model() -> None:
    assert tuple(Label) == LABELS
    assert json.dumps({Label.NORMAL: [Label.PNEUMONIA]}) == '{"NORMAL": ["PNEUMONIA"]}'


def test_case_and_space_do_not_matter(tmp_path: Path) -> None:
    films = read_manifest(write_split(tmp_path, "pneumonia", "PNEUMONIA ", "Normal", "PNEUMONIA", "\tNORMAL"), tmp_path)
    assert [film.is_pneumonia for film in films] == [True, True, False, True, False]
    assert all(film.label in (Label.NORMAL, Label.PNEUMONIA) for film in films)


@pytest.mark.parametrize("label", ["MAYBE", "", "PNEUMONIA?", "1", "NORMAL PNEUMONIA", "Lungenentz\u00fcndung"])
def test_another_label_is_an_error_with_its_line(tmp_path: Path, label: str) -> None:
    split = write_split(tmp_path, "NORMAL", "PNEUMONIA", label, "NORMAL")
    expected = re.escape(f"{split}, line 4: label: Input should be 'NORMAL' or 'PNEUMONIA', not {label!r}; correct it")
    with pytest.raises(DataError, match=expected):
        read_manifest(split, tmp_path)


def test_labels_are_compared_with_the_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_chest_xray(tmp_path / "data", patients=4)
    films = index_films(root)
    split = tmp_path / "split.csv"
    compare_with_folders(root, films[1:], split, Layout())
    printed = capsys.readouterr().err
    assert "split.csv: 3 NORMAL films; class folders: 4, 1 of them not in it" in printed
    assert "split.csv: 4 PNEUMONIA films; class folders: 4, 0 of them not in it" in printed
    write_manifest(films, split)
    split.write_text(split.read_text().replace("jpeg,PNEUMONIA", "jpeg,NORMAL", 2))
    with pytest.raises(DataError, match=r"is NORMAL, but its folder says PNEUMONIA \(in total: 2\); correct the label"):
        compare_with_folders(root, read_manifest(split, root), split, Layout())


def test_films_outside_class_folders_keep_the_label_of_the_split(tmp_path: Path) -> None:
    write_chest_xray(tmp_path / "data", patients=1, split="monday")
    split = write_split(tmp_path, "NORMAL", "PNEUMONIA")
    compare_with_folders(tmp_path / "data", read_manifest(split, tmp_path / "data"), split, Layout())


@pytest.mark.parametrize("path", ["../other/a.png", "train/../../other/a.png", "{outside}/a.png", "..", "", "."])
def test_films_outside_the_data_folder_are_refused(tmp_path: Path, path: str) -> None:
    row = f"{path.format(outside=tmp_path)},NORMAL,p,,train\n"
    (tmp_path / "split.csv").write_text(f"{HEADER}train/a.png,NORMAL,q,,train\n{row}")
    with pytest.raises(DataError, match=r"split\.csv, line 3: path: "):
        read_manifest(tmp_path / "split.csv", tmp_path / "data")


def test_paths_that_lead_back_into_the_data_folder_are_made_relative(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    paths = ["train/./a.png", f"{root}/train/b.png", "train/../train/c.png", "../data/d.png"]
    (tmp_path / "split.csv").write_text(HEADER + "".join(f"{path},NORMAL,{path},,train\n" for path in paths))
    films = read_manifest(tmp_path / "split.csv", root)
    assert [film.path for film in films] == ["train/a.png", "train/b.png", "train/c.png", "d.png"]
    (tmp_path / "split.csv").write_text(f"{HEADER}{root}/train/b.png,NORMAL,p,,train\n")
    assert [film.path for film in read_manifest(tmp_path / "split.csv", tmp_path / "link")] == ["train/b.png"]


def test_a_film_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    rows = "train/a.png,NORMAL,p,,train\n./train/a.png,NORMAL,q,,test\n"
    (tmp_path / "split.csv").write_text(HEADER + rows)
    with pytest.raises(DataError, match=r"line 3: path: './train/a.png' is named twice"):
        read_manifest(tmp_path / "split.csv", tmp_path)
