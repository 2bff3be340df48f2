"""pneumo-infer --explain says how each film was read and decided."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_films import dicom_film, draw_film
from PIL import Image

from pneumo_infer.films.preprocess import read_pixels


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pneumo_infer", "--explain", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    film = draw_film(0, height=300, width=360)
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(np.pad(film, ((60, 60), (0, 0)))).save(folder / "letterboxed.jpeg", exif=exif)
    Image.fromarray(film.astype(np.uint16) * 16).save(folder / "twelve bits.png")
    deep = film.astype(np.uint16) * 16
    header = {"WindowCenter": 2000, "WindowWidth": 3000, "PhotometricInterpretation": "MONOCHROME1", "Modality": "CT"}
    (folder / "window.dcm").write_bytes(dicom_film(deep, **header))
    (folder / "x.png").write_bytes(b"not a film")
    return folder


def test_each_step_is_told(films: Path) -> None:
    done = run("--format", "jsonl", films)
    assert done.returncode == 1, done.stderr
    told = {Path(line["path"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    letterboxed, deep, window, broken = (
        told[name] for name in ("letterboxed.jpeg", "twelve bits.png", "window.dcm", "x.png")
    )
    assert letterboxed["steps"][0].startswith("file: JPEG, mode L")
    assert "EXIF orientation 3: turned upright" in letterboxed["steps"]
    assert any(step.startswith("uniform borders: cropped") for step in letterboxed["steps"])
    assert any(step.endswith("white is 4095") for step in deep["steps"])
    assert "window: centre 2000, width 3000, LINEAR" in window["steps"]
    assert any(step.startswith("MONOCHROME1") and step.endswith("inverted") for step in window["steps"])
    assert "header: contradicts the model (modality CT)" in window["steps"]
    assert window["steps"][-1] == "outcome: NEEDS_REVIEW, because of: header"
    assert broken["outcome"] is None
    assert "not a JPEG" in broken["error"]
    for film in (letterboxed, deep, window):
        assert any(step.startswith("probability: 0.") for step in film["steps"])
        assert any(step.startswith("domain distance: ") for step in film["steps"])


def test_text_has_a_block_for_each_film(films: Path) -> None:
    lines = run(films / "window.dcm", films / "x.png").stdout.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [str(films / "window.dcm"), str(films / "x.png")]
    assert lines[-1].startswith("  unreadable: ")


def test_what_the_network_sees_is_saved(films: Path, tmp_path: Path) -> None:
    done = run("--save-inputs", tmp_path / "inputs", "--json", films / "letterboxed.jpeg")
    assert done.returncode == 0, done.stderr
    saved = next(step for step in json.loads(done.stdout)["steps"] if step.startswith("network input: "))
    pixels = np.asarray(Image.open(saved.removeprefix("network input: ")))
    np.testing.assert_array_equal(pixels, read_pixels(films / "letterboxed.jpeg"))


@pytest.mark.parametrize("options", [["--info"], ["--drift"], ["--format", "csv"]])
def test_combinations_without_meaning_are_refused(films: Path, options: list[str]) -> None:
    assert run(*options, films).returncode == 2
