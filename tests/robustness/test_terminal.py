"""Names and metadata that could change what a terminal shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hostile_names import HOSTILE_NAMES
from infer_command import in_a_terminal, infer, small_film, small_model

from pneumo_infer.printable import printable

HOSTILE = "\x1b]0;title\x07\r\u202eNORMAL\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model whose name and metadata are hostile, and with hostile films."""
    place = tmp_path_factory.mktemp("place")
    small_model(place / f"{HOSTILE}.onnx", version=HOSTILE, licence=HOSTILE, metrics=json.dumps({HOSTILE: HOSTILE}))
    small_model(place / "small.onnx")
    (place / "films").mkdir()
    for name in HOSTILE_NAMES:
        small_film(place / "films" / name)
    (place / "films" / f"{HOSTILE}.jpeg").write_text("not a film")
    return place


def require_harmless(text: str) -> None:
    assert [line for line in text.split("\n") if line != printable(line)] == []


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_no_name_reaches_a_terminal_as_it_is(place: Path, form: str) -> None:
    arguments = ("--model", "small.onnx", "--format", form, "films")
    sent = in_a_terminal(*arguments, exit_code=1, cwd=place, NO_COLOR="1", TERM="dumb")
    assert sent.count("films/") >= len(HOSTILE_NAMES)
    require_harmless(sent.replace("\r\n", "\n"))  # as terminals write a line feed


@pytest.mark.parametrize("arguments", [["--info"], ["--explain", "films"], ["films"]], ids=str)
def test_no_metadata_is_printed_as_it_is(place: Path, arguments: list[str]) -> None:
    done = infer("--model", f"{HOSTILE}.onnx", *arguments, cwd=place)
    require_harmless(done.stdout.decode())
    require_harmless(done.stderr.decode())


def test_no_argument_is_printed_as_it_is(place: Path) -> None:
    calls: list[list[Any]] = [
        ["--threshold", HOSTILE, "films"],
        ["--model", f"{HOSTILE}x", "films"],
        ["--output", f"{HOSTILE}/x", "films"],
        ["--resume", f"{HOSTILE}/x", "films"],
        ["--heatmap", place / "small.onnx" / HOSTILE, "films"],
        ["--device", HOSTILE, "films"],
        [f"--{HOSTILE}", "films"],
    ]
    for arguments in calls:
        done = infer("--model", "small.onnx", *arguments, cwd=place)
        assert done.returncode in (1, 2), done.stderr
        assert b"Traceback" not in done.stderr
        require_harmless(done.stderr.decode())
