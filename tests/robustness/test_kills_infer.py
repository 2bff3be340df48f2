"""pneumo-infer, killed at random moments."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from infer_command import COMMAND, infer, records, small_film, small_model
from kills import KILLED, killed_runs
from PIL import Image

from pneumo_infer.files.atomic_write import PREFIX

FILMS = 60
KILLS = 100


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a model and films."""
    small_model(tmp_path / "small.onnx")
    (tmp_path / "films").mkdir()
    for number in range(FILMS):
        small_film(tmp_path / "films" / f"{number:03}.png", 100 + number)
    return tmp_path


@pytest.mark.slow
def test_a_resumed_file_loses_and_repeats_no_film(place: Path) -> None:
    """Invariant: all lines but the last are whole, and no film has two; in the end each has one, and its overlay."""
    file, drawn = place / "records.jsonl", place / "drawn"
    paths = [str(path) for path in sorted((place / "films").iterdir())]
    command = (*COMMAND, "--model", place / "small.onnx", "--resume", file, "--heatmap", drawn, "--batch-size", "4")
    started = time.monotonic()
    done = infer(*command[3:], place / "films")
    whole = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    in_one_go = {record["path"]: record["probability"] for record in records(file.read_bytes())}
    assert [*in_one_go] == paths
    file.unlink()
    for code in killed_runs([*command, place / "films"], KILLS, longest=whole):
        written, _, torn = file.read_bytes().rpartition(b"\n") if file.exists() else (b"", b"", b"")
        found = {record["path"]: record["probability"] for record in records(written)}
        assert len(found) == written.count(b"\n") + bool(written)
        assert found.items() <= in_one_go.items()
        assert code in (0, KILLED)
        if code == 0:
            assert (torn, [*found]) == (b"", paths)
            file.unlink()  # another round
    assert infer(*command[3:], place / "films").returncode == 0
    assert [record["path"] for record in records(file.read_bytes())] == paths
    overlays = [path for path in drawn.rglob("*") if path.is_file()]
    assert len(overlays) == FILMS
    assert not [path for path in overlays if path.name.startswith(PREFIX)]
    for overlay in overlays:
        Image.open(overlay).verify()


@pytest.mark.slow
def test_an_output_appears_whole_or_not_at_all(place: Path) -> None:
    """Invariant: the file is the earlier one or the complete new one."""
    file = place / "records.json"
    arguments = ("--model", place / "small.onnx", "--json", "--output", file, place / "films")
    started = time.monotonic()
    assert infer(*arguments).returncode == 0
    whole, earlier = file.read_bytes(), b"an earlier file"
    file.write_bytes(earlier)
    for code in killed_runs([*COMMAND, *arguments], KILLS // 4, longest=time.monotonic() - started):
        assert file.read_bytes() == (whole if code == 0 else earlier) or code == KILLED
        assert file.read_bytes() in (earlier, whole)
        file.write_bytes(earlier)
    assert infer(*arguments).returncode == 0
    assert file.read_bytes() == whole
    assert sorted(path.name for path in place.iterdir()) == ["films", "records.json", "small.onnx"]
