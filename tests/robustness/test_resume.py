"""What --resume accepts, and what it refuses."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from pathlib import Path

import pytest
from infer_command import COMMAND, infer, records, small_film, small_model

from pneumo_infer.cli.resume.earlier_records import LONGEST_LINE


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a model and films."""
    small_model(tmp_path / "small.onnx")
    (tmp_path / "films").mkdir()
    for name, grey in (("a.png", 100), ("b.png", 150), ("c.png", 90)):
        small_film(tmp_path / "films" / name, grey)
    return tmp_path


def resume(place: Path, *films: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return infer("--model", "small.onnx", "--resume", "records.jsonl", *(films or ["films"]), cwd=place, **options)


def read(place: Path) -> dict[str, dict[str, object]]:
    found = records((place / "records.jsonl").read_bytes())
    assert len({record["path"] for record in found}) == len(found)
    return {record["path"]: record for record in found}


def test_a_record_says_which_model_and_file_it_is_of(place: Path) -> None:
    assert resume(place).returncode == 0
    record = read(place)["films/a.png"]
    status = (place / "films" / "a.png").stat()
    assert (record["film_bytes"], record["film_modified"]) == (status.st_size, status.st_mtime)
    digest = subprocess.run(["sha256sum", place / "small.onnx"], capture_output=True, text=True, check=True).stdout
    assert record["model_sha256"] == digest.split()[0]
    piped = infer("--model", "small.onnx", "--json", "-", cwd=place, input=(place / "films" / "a.png").read_bytes())
    assert json.loads(piped.stdout)["film_bytes"] is None


def test_another_model_under_the_same_name_is_refused(place: Path) -> None:
    assert resume(place, "films/a.png").returncode == 0
    before = (place / "records.jsonl").read_bytes()
    small_model(place / "small.onnx", version="2")
    done = resume(place)
    assert done.returncode == 2
    assert b"records.jsonl, line 1: made with model_sha256 " in done.stderr
    drift = infer("--model", "small.onnx", "--drift", "records.jsonl", cwd=place)
    assert drift.returncode == 2
    assert (place / "records.jsonl").read_bytes() == before


def test_films_that_were_replaced_are_read_again(place: Path) -> None:
    (place / "films" / "gone.png").symlink_to("later.png")
    assert resume(place).returncode == 1
    before = read(place)
    small_film(place / "films" / "b.png", 99)
    os.utime(place / "films" / "b.png", ns=(0, 1_600_000_000_123_456_789))
    small_film(place / "films" / "later.png", 101)
    done = resume(place)
    assert done.returncode == 0
    assert done.stderr == b"pneumo-infer: records.jsonl: 2 films have changed since; they are read again\n"
    after = read(place)
    assert [*after] == ["films/a.png", "films/c.png", "films/b.png", "films/gone.png", "films/later.png"]
    assert after["films/a.png"] == before["films/a.png"]
    assert (before["films/b.png"]["label"], after["films/b.png"]["label"]) == ("PNEUMONIA", "NORMAL")
    assert after["films/gone.png"]["error"] is None
    assert resume(place).stderr == b""
    assert read(place) == after


def test_records_without_the_state_of_the_film_are_replaced(place: Path) -> None:
    assert resume(place).returncode == 0
    new = {"model_sha256", "film_bytes", "film_modified"}
    older = [{name: value for name, value in record.items() if name not in new} for record in read(place).values()]
    (place / "records.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in older))
    assert b"3 films have changed since" in resume(place).stderr
    assert all(record["model_sha256"] for record in read(place).values())


def test_one_film_under_three_names_has_one_record(place: Path) -> None:
    for film in ("films/a.png", "./films/a.png", str(place / "films" / "a.png")):
        assert resume(place, film).returncode == 0
    assert [*read(place)] == ["films/a.png"]


def test_a_file_in_use_is_left_to_its_process(place: Path) -> None:
    for number in range(40):
        small_film(place / "films" / f"more{number}.png")
    command = [*COMMAND, "--model", "small.onnx", "--resume", "records.jsonl", "films", "-"]
    with subprocess.Popen(command, cwd=place, stdin=subprocess.PIPE) as first:  # which waits for standard input
        deadline = time.monotonic() + 120
        other = ["--model", "small.onnx", "--resume", "records.jsonl", "--batch-size", "1", "/dev/fd/0"]
        with subprocess.Popen([*COMMAND, *other], cwd=place, stdin=subprocess.PIPE) as holder:
            while not (place / "records.jsonl").exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            time.sleep(0.1)
            done = resume(place)
            assert done.returncode == 2
            assert b"records.jsonl: is being written by another process; wait until it has ended" in done.stderr
            holder.communicate((place / "films" / "a.png").read_bytes())
        first.communicate((place / "films" / "b.png").read_bytes())
    assert first.returncode == 0
    assert len(read(place)) == 45


@pytest.mark.parametrize("torn", [b'{"path": "films/c', b'{"path": "films/c.png", "mod\0\0\n', b"\0" * 100])
def test_a_damaged_last_line_is_reported_and_rewritten(place: Path, torn: bytes) -> None:
    assert resume(place).returncode == 0
    *whole, last = (place / "records.jsonl").read_bytes().splitlines(keepends=True)
    (place / "records.jsonl").write_bytes(b"".join(whole) + torn)
    done = resume(place)
    assert done.returncode == 0
    assert done.stderr == (
        b"pneumo-infer: records.jsonl, line 3: incomplete; it is removed, and its film is read again\n"
    )
    assert (place / "records.jsonl").read_bytes() == b"".join([*whole, last])


@pytest.mark.parametrize(
    "text", [b"a diary without a line feed", b"\0" * 10, b"[" * 100_000 + b"\n", b"1" * 5000 + b"\n"]
)
def test_what_is_no_file_of_records_is_not_changed(place: Path, text: bytes) -> None:
    (place / "records.jsonl").write_bytes(text)
    done = resume(place)
    assert done.returncode == 2
    assert done.stderr == (
        b"pneumo-infer: records.jsonl, line 1: not a pneumo-infer record; use a file written with --format jsonl\n"
    )
    assert (place / "records.jsonl").read_bytes() == text


def test_a_last_line_that_is_whole_but_no_record_is_refused(place: Path) -> None:
    assert resume(place).returncode == 0
    with (place / "records.jsonl").open("ab") as file:
        file.write(b'{"path": "films/d.png"}\n')
    before = (place / "records.jsonl").read_bytes()
    done = resume(place)
    assert done.returncode == 2
    assert b"records.jsonl, line 4: not a pneumo-infer record" in done.stderr
    assert (place / "records.jsonl").read_bytes() == before


def test_an_endless_line_takes_no_memory(place: Path) -> None:
    assert resume(place).returncode == 0
    whole = (place / "records.jsonl").read_bytes()
    with (place / "records.jsonl").open("ab") as file:
        file.truncate(len(whole) + 3 * 2**30)  # sparse: zeros without an end

    def limit_memory() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))

    done = resume(place, preexec_fn=limit_memory)
    assert done.returncode == 0, done.stderr
    assert b"line 4: incomplete" in done.stderr
    assert (place / "records.jsonl").read_bytes() == whole
    with (place / "records.jsonl").open("ab") as file:
        file.write(b'"' + b"x" * (3 * LONGEST_LINE) + b'"\n' + whole)
    for refused in (resume(place), infer("--model", "small.onnx", "--drift", "records.jsonl", cwd=place)):
        assert refused.returncode == 2
    assert b"line 4: not a pneumo-infer record" in resume(place).stderr


def test_devices_and_pipes_are_refused(place: Path) -> None:
    os.mkfifo(place / "pipe")
    for file in ("pipe", "/dev/null"):
        done = infer("--model", "small.onnx", "--resume", file, "films", cwd=place)
        assert done.returncode == 2
        assert done.stderr == f"pneumo-infer: {file}: not a regular file; choose another --resume file\n".encode()
