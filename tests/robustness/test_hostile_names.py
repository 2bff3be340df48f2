"""Sixty hostile names through every output of pneumo-infer."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hostile_names import HOSTILE_NAMES
from infer_command import infer, records, small_film, small_model
from PIL import Image

from pneumo_infer.files.csv_files import restore
from pneumo_infer.printable import printable


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, and a folder `films` in which each film has another brightness."""
    place = tmp_path_factory.mktemp("place")
    small_model(place / "small.onnx")
    (place / "films").mkdir()
    for number, name in enumerate(HOSTILE_NAMES):
        small_film(place / "films" / name, 83 + number)
    return place


PATHS = sorted(f"films/{name}" for name in HOSTILE_NAMES)


def run(place: Path, *arguments: str | Path) -> bytes:
    done = infer("--model", "small.onnx", *arguments, cwd=place)
    assert done.returncode == 0, done.stderr
    return done.stdout


def brightness(rows: list[dict[str, str]]) -> list[int]:
    """The answers in the order of the list of names: how much brighter than 128 each film is."""
    found = {}
    for row in rows:
        distance = round(float(row["domain_distance"]))
        found[row["path"]] = distance if float(row["probability"]) > 0.5 else -distance
    return [found[f"films/{name}"] for name in HOSTILE_NAMES]


@pytest.mark.parametrize("to_file", [False, True], ids=["stdout", "output"])
@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "table"])
def test_every_format_keeps_every_name(place: Path, tmp_path: Path, form: str, to_file: bool) -> None:
    file = tmp_path / "records"
    printed = run(place, "--format", form, *(["--output", file] if to_file else []), "films")
    written = file.read_bytes() if to_file else printed
    if form == "table":
        header, *rows = written.decode().split("\n")[:-1]
        assert [row.split("  films/", 1)[1] for row in rows] == [printable(path)[6:] for path in PATHS]
        assert {row[:12].strip() for row in rows} == {"NORMAL", "PNEUMONIA"}
        assert header.startswith("outcome")
        return
    if form == "csv":
        text = io.StringIO(written.decode(errors="surrogateescape"), newline="")
        rows = [{**row, "path": restore(row["path"])} for row in csv.DictReader(text, strict=True)]
    else:
        rows = json.loads(written) if form == "json" else records(written)
    assert [row["path"] for row in rows] == PATHS
    assert brightness(rows) == list(range(83 - 128, 83 - 128 + len(HOSTILE_NAMES)))  # each with its own answer


def test_formulas_are_neutralised_where_a_name_comes_first(place: Path) -> None:
    done = infer("--model", "../small.onnx", "--format", "csv", "--", "=1+1.png", "-.png", cwd=place / "films")
    assert done.returncode == 0, done.stderr
    assert [line.split(b",")[0] for line in done.stdout.splitlines()[1:]] == [b"'=1+1.png", b"'-.png"]


def test_overlays_and_resumed_records(place: Path, tmp_path: Path) -> None:
    file, drawn = tmp_path / "records.jsonl", tmp_path / "drawn"
    run(place, "--resume", file, "--heatmap", drawn, "films")
    before = file.read_bytes()
    assert [record["path"] for record in records(before)] == PATHS
    run(place, "--resume", file, "--heatmap", drawn, "films", *PATHS, f"./{PATHS[0]}", place / PATHS[1])
    assert file.read_bytes() == before
    overlays = list((drawn / "films").iterdir())
    assert len(overlays) == len(HOSTILE_NAMES)
    assert {f"{name}.png" for name in HOSTILE_NAMES if len(os.fsencode(name)) < 250} <= {path.name for path in overlays}
    for overlay in overlays:
        Image.open(overlay).verify()


def test_explanations(place: Path) -> None:
    printed = run(place, "--explain", "films").decode()
    assert [line for line in printed.split("\n") if line and not line.startswith("  ")] == [*map(printable, PATHS)]


def test_names_that_are_arguments(place: Path) -> None:
    done = infer("--model", "../small.onnx", "--format", "jsonl", "--", *HOSTILE_NAMES, cwd=place / "films")
    assert done.returncode == 0, done.stderr
    assert [record["path"] for record in records(done.stdout)] == HOSTILE_NAMES


def test_names_of_films_that_cannot_be_read(place: Path, tmp_path: Path) -> None:
    for name in HOSTILE_NAMES:
        (tmp_path / name).write_text("not a film")
    done = infer("--model", place / "small.onnx", tmp_path)
    assert done.returncode == 1
    rows = done.stdout.decode().split("\n")[1:-1]
    assert len(rows) == len(HOSTILE_NAMES)
    assert all(row.startswith("unreadable ") and ": not a JPEG" in row for row in rows)
