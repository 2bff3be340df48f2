"""What pneumo-infer finds in folders and patterns: every film once, and nothing in silence."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from infer_command import infer, records, small_film, small_model, without_privileges

from pneumo_infer.cli.inputs import NotAFilm, expand
from pneumo_infer.films.pictures import is_own_picture
from pneumo_infer.films.search.folders import find_films
from pneumo_infer.films.source import source_name


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a film in a folder."""
    (tmp_path / "films").mkdir()
    small_film(tmp_path / "films" / "a.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def named(*arguments: str | Path) -> list[str]:
    return [source_name(film) for film in expand(map(str, arguments)).films]


def test_what_cannot_be_read_in_a_folder_gets_a_record(place: Path) -> None:
    films = place / "films"
    (films / "dangling.png").symlink_to("gone.png")
    os.mkfifo(films / "pipe.png")
    os.mkfifo(films / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("films/socket.png")
    (films / "closed").mkdir()
    small_film(films / "closed" / "hidden.png")
    (films / "closed").chmod(0)
    (films / "not_entered").mkdir()
    small_film(films / "not_entered" / "b.png")
    (films / "not_entered").chmod(0o444)
    command = ("--model", small_model(place / "small.onnx"), "--format", "jsonl")
    for argument in ("films", "films/**", "films/**/*.png"):
        done = infer(*command, argument, cwd=place, preexec_fn=without_privileges)
        assert done.returncode == 1, done.stderr
        errors = {record["path"]: record["error"] for record in records(done.stdout)}
        assert errors.pop("films/a.png") is None
        assert "Permission denied" in errors.pop("films/closed")
        assert "Permission denied" in errors.pop("films/not_entered/b.png")
        assert "does not exist" in errors.pop("films/dangling.png")
        assert "a pipe, socket or device" in errors.pop("films/pipe.png")
        assert "a pipe, socket or device" in errors.pop("films/socket.png")
        assert errors == {}
        assert done.stderr == b""


def test_names_that_are_too_long_or_not_accessible_get_a_record(place: Path) -> None:
    (place / "closed").mkdir()
    small_film(place / "closed" / "a.png")
    (place / "closed").chmod(0)
    arguments = ["n" * 300 + ".png", "[x]" * 100, "/".join(["n"] * 3000), "closed/a.png", "closed/*.png", "films/a.png"]
    command = ("--model", small_model(place / "small.onnx"), "--format", "jsonl", "--heatmap", "drawn")
    done = infer(*command, *arguments, cwd=place, preexec_fn=without_privileges)
    assert (done.returncode, done.stderr) == (1, b"")
    assert [record["error"] is None for record in records(done.stdout)] == [False] * 5 + [True]


def test_a_file_is_read_once_however_it_is_named(place: Path) -> None:
    (place / "link").symlink_to("films")
    film = str(place / "films" / "a.png")
    assert named("films/a.png", film, "./films/a.png", "films/../films/a.png", "link/a.png", "films", "*/*.png") == [
        "films/a.png"
    ]
    (place / "films" / "other.png").symlink_to("a.png")  # another name for a film is another film
    assert named("films") == ["films/a.png", "films/other.png"]


def test_films_in_different_places_get_different_overlays(place: Path) -> None:
    work = place / "work"
    outside = place / "films" / "a.png"
    inside = Path(*outside.parts[1:])  # the same path below the working directory as below the root
    (work / inside).parent.mkdir(parents=True)
    small_film(work / inside, 150)
    small_film(work / "-")
    done = infer(
        *("--model", small_model(place / "small.onnx"), "--heatmap", "drawn", "-", "./-", inside, outside),
        cwd=work,
        input=outside.read_bytes(),
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 + 4
    assert len([path for path in (work / "drawn").rglob("*") if path.is_file()]) == 4


def test_overlays_among_the_films_are_no_films(place: Path) -> None:
    command = ("--model", small_model(place / "small.onnx"), "--format", "jsonl", "--heatmap", ".", "films")
    first = infer(*command, cwd=place)
    assert is_own_picture(place / "films" / "a.png.png")
    again = infer(*command, "films/*.png", cwd=place)
    assert [record["path"] for record in records(first.stdout + again.stdout)] == ["films/a.png"] * 2
    assert again.stderr == b"pneumo-infer: skipped pictures that pneumo-infer has drawn: 1\n"
    table = infer("--model", "small.onnx", "films", cwd=place)
    assert b"1 other files skipped; 1 films in " in table.stderr


def test_overlays_that_a_shell_names_among_the_films_are_skipped(place: Path) -> None:
    command = ("--model", small_model(place / "small.onnx"), "--format", "jsonl")
    overlay = "films/a.png.png"
    infer(*command, "--heatmap", ".", "films", cwd=place)
    done = infer(*command, "films/a.png", overlay, cwd=place)
    assert [record["path"] for record in records(done.stdout)] == ["films/a.png"]
    assert (done.returncode, done.stderr) == (0, b"pneumo-infer: skipped pictures that pneumo-infer has drawn: 1\n")
    for argument in (overlay, "films/*.png.png"):  # not skipped in silence, since nothing is left
        alone = infer(*command, argument, cwd=place)
        assert (alone.returncode, alone.stderr) == (1, b"")
        (record,) = records(alone.stdout)
        assert record["error"] == f"{overlay}: a picture that pneumo-infer has drawn; name the film itself"
    explained = infer("--model", "small.onnx", "--explain", overlay, cwd=place)
    assert explained.returncode == 1


def test_an_overlay_replaces_nothing_but_an_overlay(place: Path) -> None:
    shutil.copy(place / "films/a.png", place / "films/a.png.png")
    done = infer(
        *("--model", small_model(place / "small.onnx"), "--format", "jsonl", "--heatmap", ".", "films/a.png"), cwd=place
    )
    assert done.returncode == 1
    assert b"films/a.png.png: exists and was not drawn by pneumo-infer; choose another --heatmap" in done.stderr
    assert (place / "films/a.png.png").read_bytes() == (place / "films/a.png").read_bytes()


def test_loops_of_links_are_followed_once(place: Path) -> None:
    elsewhere = place / "elsewhere" / "deeper"
    elsewhere.mkdir(parents=True)
    small_film(elsewhere / "b.png")
    for link, target in {"loop": ".", "up": "..", "again": "../elsewhere", "twice": "../elsewhere/deeper"}.items():
        (place / "films" / link).symlink_to(target)
    expected = ["films/a.png", "films/again/deeper/b.png"]
    for pattern in ("films/**/*.png", "films/**/**/*.png", "films/**"):
        found = named(pattern)
        assert [Path(path).name for path in found] == ["a.png", "b.png"], pattern
    assert [Path(path).name for path in find_films(place / "films").films] == ["a.png", "b.png"]
    assert named("films")[0] == expected[0]


def test_patterns_match_as_they_did(place: Path) -> None:
    for name in ("films/b.jpeg", "films/.hidden.png", "films/ward/c.png", "films/ward/.deep/d.png", "films/[x].png"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        small_film(place / name)
    assert named("films/*.png") == ["films/[x].png", "films/a.png"]
    assert named("films/.*.png") == ["films/.hidden.png"]
    assert named("**/c.png") == named("./films/*/c.png") == ["films/ward/c.png"]
    assert named(place / "films" / "w*" / "[a-c].png") == [str(place / "films/ward/c.png")]
    assert named("films/[x].png") == ["films/[x].png"]
    assert named("films/w*") == ["films/ward/c.png"]
    assert named("films/none*", "none/**/x.png") == ["films/none*", "none/**/x.png"]


def test_a_pipe_that_is_named_is_read(place: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write((place / "films/a.png").read_bytes())
    done = infer(
        *("--model", small_model(place / "small.onnx"), "--format", "jsonl", f"/dev/fd/{reading}"),
        cwd=place,
        pass_fds=[reading],
    )
    os.close(reading)
    assert done.returncode == 0
    assert not isinstance(expand(["/dev/null"]).films[0], NotAFilm)
