"""pneumo-infer as a program: what it prints, where, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumo_infer import __version__
from pneumo_infer.cli.command import SAMPLES, Command
from pneumo_infer.cli.main import ENVIRONMENT_VARIABLES, are_films_alone, main
from pneumo_infer.cli.options import app
from pneumo_infer.prediction import RECORD_FIELDS

NORMAL, PNEUMONIA = SAMPLES / "normal.png", SAMPLES / "pneumonia.png"


def run(
    *arguments: str | Path, stdin: bytes | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pneumo_infer", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "films" / "deeper").mkdir(parents=True)
    shutil.copy(NORMAL, tmp_path / "films" / "a.PNG")
    shutil.copy(PNEUMONIA, tmp_path / "films" / "deeper" / "b.png")
    (tmp_path / "films" / "notes.txt").write_text("not a film, and not called one")
    return tmp_path / "films"


def test_one_film_gives_one_object() -> None:
    done = run("--json", NORMAL)
    record = json.loads(done.stdout)
    assert tuple(record) == RECORD_FIELDS
    assert (done.returncode, done.stderr) == (0, b"")
    assert (record["path"], record["label"], record["error"]) == (str(NORMAL), "NORMAL", None)


def test_films_alone_mean_what_the_options_default_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Command] = []
    monkeypatch.setattr(Command, "run", lambda command: asked.append(command) or 0)
    monkeypatch.setattr(sys, "argv", ["pneumo-infer", "a.png", "-", "ward"])
    for ending in (main, app):
        with pytest.raises(SystemExit) as ended:
            ending()
        assert ended.value.code == 0
    assert asked == [Command(films=("a.png", "-", "ward"))] * 2


@pytest.mark.parametrize(
    ("arguments", "environment", "alone"),
    [
        (["a.png"], {}, True),
        (["-", "ward"], {}, True),
        ([], {}, False),
        (["a.png", "--json"], {}, False),
        (["--help"], {}, False),
        (["a.png"], {"PNEUMO_DEVICE": "cpu"}, False),
        (["a.png"], {"PNEUMO_MODEL": "other.onnx"}, False),
    ],
)
def test_what_needs_no_options(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: dict[str, str], alone: bool
) -> None:
    for name in ENVIRONMENT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert are_films_alone(arguments) == alone


def test_a_folder_gives_a_list(folder: Path) -> None:
    done = run("--json", folder)
    records = json.loads(done.stdout)
    assert done.returncode == 0
    assert [(Path(r["path"]).name, r["label"]) for r in records] == [("a.PNG", "NORMAL"), ("b.png", "PNEUMONIA")]


def test_bad_films_are_reported_and_the_others_read(folder: Path) -> None:
    (folder / "bad.jpeg").write_text("a text that was renamed")
    (folder / "empty.jpeg").touch()
    (folder / "cut.png").write_bytes(NORMAL.read_bytes()[:5000])
    done = run("--json", folder, folder / "gone.png", folder / "none*.png")
    records = {Path(r["path"]).name: r for r in json.loads(done.stdout)}
    assert done.returncode == 1
    assert {name: r["label"] for name, r in records.items() if r["label"]} == {"a.PNG": "NORMAL", "b.png": "PNEUMONIA"}
    for name, problem in {
        "bad.jpeg": "not a JPEG, JPEG 2000, PNG, TIFF, BMP, WebP or DICOM",
        "empty.jpeg": "empty file",
        "cut.png": "truncated",
        "gone.png": "does not exist",
        "none*.png": "does not exist",
    }.items():
        assert problem in records[name]["error"]
        assert records[name]["probability"] is None


def test_an_empty_folder_fails_in_its_record(tmp_path: Path) -> None:
    done = run("--json", tmp_path)
    assert done.returncode == 1
    assert "a folder, not a film" in json.loads(done.stdout)["error"]


def test_globs(folder: Path) -> None:
    done = run("--format", "jsonl", folder / "**" / "*.png")
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["PNEUMONIA"]


def test_standard_input() -> None:
    done = run("--json", "-", stdin=PNEUMONIA.read_bytes())
    record = json.loads(done.stdout)
    assert (done.returncode, record["path"], record["label"]) == (0, "-", "PNEUMONIA")
    assert record["probability"] == json.loads(run("--json", PNEUMONIA).stdout)["probability"]
    assert run("--json", "-", stdin=b"").returncode == 1


def test_csv() -> None:
    done = run("--format", "csv", NORMAL, PNEUMONIA)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [row["label"] for row in rows] == ["NORMAL", "PNEUMONIA"]
    assert tuple(rows[0]) == RECORD_FIELDS


def test_the_table_is_for_people() -> None:
    done = run("--demo")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert [line.split()[0] for line in lines] == ["outcome", "NORMAL", "PNEUMONIA"]
    assert "1 NORMAL, 1 PNEUMONIA; 2 films in " in done.stderr.decode()
    assert b"\x1b" not in done.stdout + done.stderr


def test_the_table_shows_why_films_need_review_or_are_unreadable(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    (tmp_path / "notes.jpeg").write_text("no film")
    done = run(tmp_path)
    rows = done.stdout.decode().splitlines()[1:]
    assert done.returncode == 1
    assert rows[0].split()[:2] == ["NEEDS_REVIEW", "out_of_domain"]
    assert rows[0].endswith("noise.png")
    assert rows[1].startswith("unreadable  ")
    assert "notes.jpeg: not a JPEG" in rows[1]
    assert "1 NEEDS_REVIEW (1 out_of_domain), 1 unreadable; 2 films in " in done.stderr.decode()


def test_output_is_written_whole_or_not_at_all(tmp_path: Path, folder: Path) -> None:
    written = tmp_path / "records.json"
    assert run("--json", "--output", written, folder).returncode == 0
    assert len(json.loads(written.read_text())) == 2
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["records.json"]
    assert run("--format", "csv", "--output", tmp_path / "records.csv", folder).returncode == 0
    assert len((tmp_path / "records.csv").read_text().splitlines()) == 3
    assert not (tmp_path / "records.csv.part").exists()
    nowhere = run("--json", "--output", tmp_path / "none" / "records.json", folder)
    assert (nowhere.returncode, nowhere.stdout) == (2, b"")
    assert b"cannot be written" in nowhere.stderr


def test_thresholds() -> None:
    assert json.loads(run("--json", "--threshold", "0", NORMAL).stdout)["label"] == "PNEUMONIA"
    record = json.loads(run("--json", "--threshold", "screening", NORMAL).stdout)
    assert record["operating_point"] == "screening"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "give a film"),
        (["--no-such-option", NORMAL], "No such option"),
        (["--threshold", "1.5", NORMAL], "not a probability"),
        (["--threshold", "best", NORMAL], "has no operating point 'best'"),
        (["--model", "gone.onnx", NORMAL], "does not exist"),
        (["--batch-size", "0", NORMAL], "batch-size"),
        (["--device", "cuda", NORMAL], "cuda"),
    ],
)
def test_usage_errors_end_with_two(arguments: list[str | Path], problem: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == b""
    assert problem in done.stderr.decode()


def test_info_describes_the_installation() -> None:
    text = run("--info").stdout.decode()
    described = json.loads(run("--info", "--json").stdout)
    assert described["pneumo-infer"] == __version__
    assert described["model sha256"] in text
    assert described["device"] == "cpu" or "CUDAExecutionProvider" in described["providers built in"]


def test_version() -> None:
    assert run("--version").stdout.decode().strip() == __version__


def test_a_closed_pipe_ends_quietly(folder: Path) -> None:
    for index in range(40):
        shutil.copy(NORMAL, folder / f"more{index}.png")
    command = [sys.executable, "-m", "pneumo_infer", "--format", "jsonl", "--batch-size", "1", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["error"] is None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0
