"""A real Ray cluster on this machine scores a folder, also when one of its workers dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dying_worker
import pytest

from pneumo_infer import Classifier
from pneumo_infer.cli.command import SAMPLES

pytest.importorskip("ray")
FILMS = 96


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    films = tmp_path / "films"
    films.mkdir()
    for number in range(FILMS):
        name = "pneumonia.png" if number % 3 == 0 else "normal.png"
        (films / f"{number:03}.png").write_bytes((SAMPLES / name).read_bytes())
    (films / "bad.jpeg").write_text("no film")
    (films / "notes.txt").write_text("not called a film")
    return films


def test_the_command_writes_parquet(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "answers.parquet"
    command = [sys.executable, "-m", "pneumo_infer.ray", folder, "--output", output, "--actors", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    from pyarrow import parquet

    rows = {Path(row["path"]).name: row for row in parquet.read_table(output).to_pylist()}
    assert len(rows) == FILMS + 1
    assert "not a JPEG" in rows["bad.jpeg"]["error"]
    assert rows["bad.jpeg"]["probability"] is None
    here = Classifier(device="cpu").predict(SAMPLES / "pneumonia.png")
    assert rows["000.png"]["probability"] == pytest.approx(here.probability)
    assert sum(row["label"] == "PNEUMONIA" for row in rows.values()) == FILMS / 3
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "already exists" in again.stderr


def test_a_killed_worker_loses_no_film_and_repeats_none(folder: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    marker, answers = tmp_path / "died", tmp_path / "answers"
    command = [sys.executable, dying_worker.__file__, folder, answers, marker]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert marker.exists()
    rows = parquet.read_table(answers).to_pylist()
    assert sorted(Path(row["path"]).name for row in rows) == [f"{number:03}.png" for number in range(FILMS)]
    assert all(row["probability"] is not None for row in rows)
