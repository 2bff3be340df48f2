"""What --output does with a file that is there."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from infer_command import COMMAND, infer, records, small_film, small_model


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a model and a film."""
    small_model(tmp_path / "small.onnx")
    small_film(tmp_path / "a.png")
    return tmp_path


def run(place: Path, form: str, output: str, *films: str) -> subprocess.CompletedProcess[bytes]:
    return infer("--model", "small.onnx", "--format", form, "--output", output, *films, cwd=place)


@pytest.mark.parametrize("option", ["--output", "--resume"])
def test_no_input_is_replaced(place: Path, option: str) -> None:
    (place / "link.png").symlink_to("a.png")
    (place / "hard.png").hardlink_to(place / "a.png")
    before = {name: (place / name).read_bytes() for name in ("a.png", "small.onnx")}
    for file in ("a.png", "./a.png", "link.png", "hard.png", "small.onnx"):
        done = infer("--model", "small.onnx", option, file, "a.png", cwd=place)
        assert done.returncode == 2
        assert (
            done.stderr
            == (
                f"pneumo-infer: {Path(file)}: is one of the files to read, and would be lost; choose another {option}\n"
            ).encode()
        )
    assert {name: (place / name).read_bytes() for name in before} == before


def test_no_input_of_other_modes_is_replaced(place: Path) -> None:
    (place / "empty.png").touch()
    explained = infer("--model", "small.onnx", "--explain", "--output", "empty.png", "empty.png", cwd=place)
    assert b"is one of the files to read" in explained.stderr
    assert (explained.returncode, (place / "empty.png").read_bytes()) == (2, b"")


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_target_of_a_link_is_replaced(place: Path, form: str) -> None:
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "records").write_text("earlier")
    (place / "link").symlink_to("elsewhere/records")
    assert run(place, form, "link", "a.png").returncode == 0
    assert (place / "link").is_symlink()
    assert b"a.png" in (place / "elsewhere" / "records").read_bytes()
    assert [path.name for path in (place / "elsewhere").iterdir()] == ["records"]


def test_the_users_own_files_are_not_used_for_parts(place: Path) -> None:
    (place / "records.csv.part").write_text("mine")
    (place / "records.jsonl.part").symlink_to("planted")
    for form in ("csv", "jsonl"):
        assert run(place, form, f"records.{form}", "a.png").returncode == 0
    assert (place / "records.csv.part").read_text() == "mine"
    assert not (place / "planted").exists()
    assert len(records((place / "records.jsonl").read_bytes())) == 1
    assert len([path for path in place.iterdir() if ".part" in path.name]) == 2


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_a_pipe_is_written_to(place: Path, form: str) -> None:
    os.mkfifo(place / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((place / "pipe").read_bytes()), daemon=True)
    reader.start()
    assert run(place, form, "pipe", "a.png").returncode == 0
    reader.join(60)
    assert b"a.png" in read[0]
    assert (place / "pipe").is_fifo()


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_device_is_written_to(place: Path, form: str) -> None:
    printed = run(place, form, "/dev/stdout", "a.png")
    assert printed.returncode == 0
    assert b"a.png" in printed.stdout
    full = run(place, form, "/dev/full", "a.png")
    assert full.returncode == 2
    assert b"/dev/full: cannot be written (No space left on device); choose another --output" in full.stderr
    assert Path("/dev/full").is_char_device()


def test_a_folder_is_refused_before_films_are_read(place: Path) -> None:
    (place / "folder").mkdir()
    done = run(place, "csv", "folder", "a.png")
    assert done.returncode == 2
    assert done.stderr == b"pneumo-infer: folder: cannot be written (Is a directory); choose another --output\n"
    assert list((place / "folder").iterdir()) == []


def test_standard_output_that_is_a_file_is_written(place: Path) -> None:
    with (place / "records").open("wb") as file:
        subprocess.run([*COMMAND, "--model", "small.onnx", "--json", "a.png"], cwd=place, stdout=file, check=True)
    assert b"a.png" in (place / "records").read_bytes()
