"""The one way in which all commands write files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pneumo_infer.files.atomic_write import PREFIX, atomic_write, replacing, write_json

KILLED = """
import os, signal, sys
from pathlib import Path
from pneumo_infer.files.atomic_write import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def write(path: Path, text: str = "new") -> None:
    with atomic_write(path) as file:
        file.write(text)


def test_a_failure_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "a.txt") as file:
        file.write(str(1 // 0))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def test_the_target_of_a_link_is_replaced_and_the_link_kept(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("elsewhere/a.txt")
    (tmp_path / "dangling.txt").symlink_to("elsewhere/b.txt")
    write(tmp_path / "link.txt")
    write(tmp_path / "dangling.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "dangling.txt").is_symlink()
    assert {path.name: path.read_text() for path in (tmp_path / "elsewhere").iterdir()} == {
        "a.txt": "new",
        "b.txt": "new",
    }


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match=r"Too many|exists|symbolic"):
        write(tmp_path / "a" / "file")


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    write(tmp_path / "pipe")
    reader.join(10)
    assert read == ["new"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "link")
    assert Path("/dev/full").is_char_device()


def test_a_file_named_like_a_temporary_one_is_not_written_through(tmp_path: Path) -> None:
    for planted in ("a.txt.part", f".a.{os.getpid()}.txt", f"{PREFIX}.txt"):
        (tmp_path / planted).symlink_to(tmp_path / "mine")
    write(tmp_path / "a.txt")
    assert not (tmp_path / "mine").exists()


def test_any_name_a_file_can_have(tmp_path: Path) -> None:
    for name in (os.fsdecode(b"\xff\xfe"), "\u202e\x1b[31m", "n" * 255, "a." + "x" * 253):
        write(tmp_path / name, name)
        assert os.fsdecode((tmp_path / name).read_bytes()) == name
    assert len(list(tmp_path.iterdir())) == 4


def test_new_files_have_the_permissions_of_other_new_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    script = "from pathlib import Path; import sys; from pneumo_infer.files.atomic_write import write_json;"
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a.txt"], check=False)
    assert killed.returncode == -9
    (leftover,) = tmp_path.iterdir()
    assert leftover.name.startswith(PREFIX)
    with replacing(tmp_path / "b.txt") as in_use:
        again = f"{script} write_json(Path(sys.argv[1]), 1)"
        subprocess.run([sys.executable, "-c", again, tmp_path / "c.txt"], check=True)
        assert in_use.exists()
        assert not leftover.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.txt", "c.txt"]
