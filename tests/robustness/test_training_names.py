"""Films with hostile names are listed, shown and read back as they are, or skipped with their own message."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hostile_names import HOSTILE_NAMES
from made_films import draw_film
from PIL import Image

from pneumo_infer.files.csv_files import restore
from pneumo_train.data.index import IndexedFilm, index_films
from pneumo_train.data.manifest import MANIFEST, read_manifest, write_manifest
from pneumo_train.data.prepare import decode_with_progress, report_duplicates, report_split
from pneumo_train.data.split import split_by_patient, write_split_folders
from pneumo_train.report.plots import draw_films, to_png

# A path that ends a style in rich's markup.
PATHS = [*HOSTILE_NAMES, "[/b].png"]
NOT_UTF8 = {path for path in PATHS if any("\udc80" <= character <= "\udcff" for character in path)}
NAMES = [path for path in PATHS if path not in NOT_UTF8 and not path.startswith(".")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for number, label in enumerate(("NORMAL", "PNEUMONIA")):
        (root / "train" / label).mkdir(parents=True)
        Image.fromarray(draw_film(number, pneumonia=number == 1, height=64, width=64)).save(root / "film.png")
        (root / "train" / label / "[").mkdir()
        for name in PATHS:
            (root / "train" / label / name).write_bytes((root / "film.png").read_bytes())
    (root / "film.png").unlink()
    return root


def decode_and_split(root: Path, cache: Path) -> list[IndexedFilm]:
    decoded = decode_with_progress(root, index_films(root), cache)
    split = split_by_patient(decoded.films, 1, 0.2, 0.2)
    report_split(decoded, split)
    report_duplicates(decoded, root / "duplicates.json")
    return split


def test_split_and_log(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split = decode_and_split(root, tmp_path / "cache")
    printed = capsys.readouterr().err
    assert all(line.isprintable() for line in printed.split("\n"))
    assert printed.count("its name is not UTF-8; rename it") == 2 * len(NOT_UTF8) == 8
    assert sorted(film.path.partition(f"{film.label}/")[2] for film in split) == sorted(2 * NAMES)

    write_manifest(split, tmp_path / MANIFEST)
    assert read_manifest(tmp_path / MANIFEST, root) == split
    with (tmp_path / MANIFEST).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert [restore(row["path"]) for row in rows] == [film.path for film in split]
    assert all(row["label"] in ("NORMAL", "PNEUMONIA") for row in rows)


def test_folders(root: Path, tmp_path: Path) -> None:
    split = decode_and_split(root, tmp_path / "cache")
    placed = write_split_folders(root, split, tmp_path / "to")
    assert read_manifest(tmp_path / "to" / MANIFEST, tmp_path / "to") == placed
    assert [film.path for film in index_films(tmp_path / "to")] == sorted(film.path for film in placed)


@pytest.mark.filterwarnings("ignore:Glyph")  # the font does not have every script
def test_pictures_of_the_report(root: Path, tmp_path: Path) -> None:
    decoded = decode_with_progress(root, index_films(root)[:30], tmp_path / "cache")
    names = [name for name in NAMES if name.isprintable()] + ["$\\bad$", "$x^{$"]
    shown = names[: len(decoded.films)]
    assert to_png(draw_films(decoded.pixels[: len(shown)], shown))
    assert to_png(draw_films(decoded.pixels[:2], names[-2:]))
