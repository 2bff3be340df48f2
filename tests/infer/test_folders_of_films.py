"""pneumo-infer on many films: interrupts, --resume, --heatmap, and terminal output."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from infer_command import COMMAND, in_a_terminal
from PIL import Image

from pneumo_infer.cli.command import SAMPLES
from pneumo_infer.cli.output.overlays import overlay_path
from pneumo_infer.prediction import RECORD_FIELDS

NORMAL, PNEUMONIA = SAMPLES / "normal.png", SAMPLES / "pneumonia.png"
TERMINAL = {"TERM": "xterm-256color", "COLUMNS": "100"}


def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 300 films."""
    films = tmp_path / "films"
    films.mkdir()
    for number in range(300):
        (films / f"{number:03}.png").symlink_to(PNEUMONIA if number % 3 == 0 else NORMAL)
    return films


def interrupt_after(lines: int, *arguments: str | Path, file: Path) -> tuple[int, str]:
    """Start a command and interrupt it once its file has so many lines."""
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, handler)
    while not file.exists() or file.read_bytes().count(b"\n") < lines:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate()
    return process.returncode, printed


def test_an_interrupted_command_resumes_and_reads_each_film_once(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    code, printed = interrupt_after(20, "--resume", file, "--batch-size", "4", folder, file=file)
    assert code == 130
    assert f"completed records are in {file}; run the same command again to resume" in printed
    before = file.read_text()
    assert before.endswith("\n")
    assert 20 <= len(before.splitlines()) < 300
    with file.open("a") as torn:  # as a machine that lost its power would leave it
        torn.write('{"path": "/films/half a rec')
    assert run("--resume", file, folder).returncode == 0
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert file.read_text().startswith(before)
    assert [record["path"] for record in records] == [str(film) for film in sorted(folder.iterdir())]
    assert run("--resume", file, folder).returncode == 0
    assert len(file.read_text().splitlines()) == 300


def test_an_interrupted_table_of_values_keeps_its_whole_rows(folder: Path, tmp_path: Path) -> None:
    file, part = tmp_path / "records.csv", tmp_path / "records.csv.part"
    arguments = ("--format", "csv", "--output", file, "--batch-size", "4", folder)
    code, printed = interrupt_after(20, *arguments, file=part)
    assert code == 130
    assert f"completed records are in {part}" in printed
    assert not file.exists()
    with part.open(newline="") as rows:
        read = list(csv.reader(rows))
    assert {len(row) for row in read} == {len(RECORD_FIELDS)}
    assert part.read_text().endswith("\n")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("notes\n", "line 1: not a pneumo-infer record"),
        ('{"path": "a"}\n', "line 1: not a pneumo-infer record"),
        ('{"path": "a", "model": "other.onnx", "threshold": 0.5}\n', "made with model other.onnx"),
    ],
)
def test_a_file_that_cannot_be_resumed_is_not_changed(tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text(content)
    done = run("--resume", file, NORMAL)
    assert done.returncode == 2
    assert problem in done.stderr
    assert file.read_text() == content
    assert "not allowed with --output" in run("--resume", file, "--output", tmp_path / "o", NORMAL).stderr


def test_a_folder_in_place_of_the_records(tmp_path: Path) -> None:
    done = run("--resume", tmp_path, NORMAL)
    assert done.returncode == 2
    assert "cannot be resumed (Is a directory)" in done.stderr


def test_overlays_lie_as_the_films_do(tmp_path: Path) -> None:
    (tmp_path / "ward" / "deeper").mkdir(parents=True)
    shutil.copy(NORMAL, tmp_path / "ward" / "a.png")
    shutil.copy(PNEUMONIA, tmp_path / "ward" / "deeper" / "a.png")
    (tmp_path / "ward" / "bad.jpeg").write_text("no film")
    with NORMAL.open("rb") as film:
        done = run("--json", "--heatmap", "drawn", "ward", "-", cwd=tmp_path, stdin=film)
    assert done.returncode == 1
    drawn = tmp_path / "drawn"
    names = sorted(str(path.relative_to(drawn)) for path in drawn.rglob("*") if path.is_file())
    assert names == ["-.png", "ward/a.png.png", "ward/deeper/a.png.png"]
    with Image.open(drawn / "ward" / "deeper" / "a.png.png") as overlay, Image.open(PNEUMONIA) as film:
        assert overlay.width == film.width
        assert overlay.height > film.height
        colours = np.asarray(overlay.convert("RGB"), dtype=int)[: film.height]
        assert (np.ptp(colours, axis=2) > 20).any()


def test_overlays_outside_the_working_directory_do_not_meet(tmp_path: Path) -> None:
    assert overlay_path(tmp_path, "/archive/a.png") == tmp_path / "archive" / "a.png.png"
    assert overlay_path(tmp_path, "/x/../../archive/a.png") == tmp_path / "archive" / "a.png.png"
    assert overlay_path(tmp_path, "a.png") == tmp_path / "a.png.png"


def test_overlays_that_cannot_be_written_do_not_stop_the_films(tmp_path: Path) -> None:
    (tmp_path / "drawn").write_text("a file where the folder should be")
    done = run("--json", "--heatmap", tmp_path / "drawn", NORMAL, PNEUMONIA)
    assert done.returncode == 1
    assert [record["label"] for record in json.loads(done.stdout)] == ["NORMAL", "PNEUMONIA"]
    assert done.stderr.count("cannot be written") == 2


def test_a_terminal_gets_colours_and_a_bar(folder: Path) -> None:
    sent = in_a_terminal(folder, **TERMINAL)
    assert "\x1b[32mNORMAL" in sent
    rows = [line for line in sent.replace("\r", "\n").splitlines() if ".png" in line]
    assert rows
    assert all("films," not in row for row in rows)  # the bar and the rows do not share a line
    assert "/300" in sent
    assert "films," in sent
    assert "200 NORMAL, 100 PNEUMONIA; 300 films in " in sent


def test_few_films_get_no_bar() -> None:
    assert "/2" not in in_a_terminal("--demo", **TERMINAL).split(" films in ")[0]


def test_settings_from_the_environment(tmp_path: Path) -> None:
    gone = run(NORMAL, env={**os.environ, "PNEUMO_MODEL": str(tmp_path / "gone.onnx")})
    assert gone.returncode == 2
    assert "gone.onnx: does not exist" in gone.stderr
    assert run(NORMAL, env={**os.environ, "PNEUMO_DEVICE": "abacus"}).returncode == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_options(shell: str) -> None:
    installed = Path(sys.executable).with_name("pneumo-infer")  # completion belongs to the command's own name
    asked = {
        "_PNEUMO_INFER_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "pneumo-infer --thr",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "pneumo-infer --thr",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    environment = {**os.environ, **asked}
    offered = subprocess.run([installed], capture_output=True, text=True, check=True, env=environment).stdout
    assert "--threshold" in offered
    assert "--threads" in offered
    assert "--device" not in offered
