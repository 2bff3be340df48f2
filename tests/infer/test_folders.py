"""What counts as a film in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_films import dicom_film
from PIL import Image

from pneumo_infer.films.search.folders import find_films

FILM = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    for name in (
        "a.png",
        "ward/b.JPEG",
        "__MACOSX/a.png",
        ".hidden/c.png",
        "ward/._b.jpeg",
        ".ipynb_checkpoints/a.png",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(FILM).save(path)
    for name in ("IM000001", "1.2.840.113619.2.5", "DICOMDIR"):
        (folder / "ward" / name).write_bytes(dicom_film(FILM.astype(np.uint16)))
    (folder / "notes.txt").write_text("notes")
    (folder / "ward/short").write_bytes(b"DICM")
    (folder / "Thumbs.db").write_bytes(b"")
    return folder


def test_films_are_found_by_suffix_and_by_content(folder: Path) -> None:
    found = find_films(folder)
    names = ["a.png", "ward/1.2.840.113619.2.5", "ward/IM000001", "ward/b.JPEG"]
    assert found.films == [str(folder / name) for name in names]
    assert found.other_files == 3  # notes.txt, short and DICOMDIR


def test_the_closing_line_counts_other_files(folder: Path) -> None:
    command = [sys.executable, "-m", "pneumo_infer", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5
    assert "3 other files skipped; 4 films in " in done.stderr


def test_hidden_films_are_read_when_named(folder: Path) -> None:
    command = [sys.executable, "-m", "pneumo_infer", "--format", "jsonl", folder / "ward/._b.jpeg"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
