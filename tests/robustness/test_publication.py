"""Files are published in one step: a reader finds the earlier ones, the new ones, or a folder that it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import METADATA, write_model

from pneumo_infer.errors import ModelError
from pneumo_infer.model.checksum import CHECKSUMS, INCOMPLETE, file_digest, verify
from pneumo_train.release.publication import PREFIX, publish_files, staging

FILES = ["a.onnx", "b.onnx", "figures/roc.png", "card.md"]
# Publishes files that say "new", and is killed before the change with this number.
KILLED = f"""
import os, signal, sys
from pathlib import Path
from pneumo_train.release.publication import publish_files, staging

output, moment = Path(sys.argv[1]), int(sys.argv[2])
replace, changes = Path.replace, 0

def counted(self, target):
    global changes
    if changes == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    changes += 1
    return replace(self, target)

with staging(output) as staged:
    (staged / "figures").mkdir()
    for name in {FILES}:
        (staged / name).write_text("new")
    Path.replace = counted
    publish_files(staged, output, {FILES})
"""


def publish(output: Path, text: str, files: list[str] = FILES) -> None:
    with staging(output) as staged:
        for name in files:
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_text(text)
        publish_files(staged, output, files)


def contents(output: Path) -> set[str]:
    return {(output / name).read_text() for name in FILES}


def test_all_files_are_published_and_the_models_listed(tmp_path: Path) -> None:
    publish(tmp_path / "models", "new")
    digest = file_digest(tmp_path / "models" / "a.onnx")
    assert (tmp_path / "models" / CHECKSUMS).read_text() == f"{digest}  a.onnx\n{digest}  b.onnx\n"
    assert contents(tmp_path / "models") == {"new"}
    assert {path.name for path in (tmp_path / "models").iterdir()} == {*FILES[:2], "figures", "card.md", CHECKSUMS}
    subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=tmp_path / "models", check=True)


@pytest.mark.parametrize("moment", range(len(FILES) + 3))
def test_a_kill_at_any_moment(tmp_path: Path, moment: int) -> None:
    publish(tmp_path, "old")
    command = [sys.executable, "-c", KILLED, tmp_path, str(moment)]
    code = subprocess.run(command, check=False).returncode
    assert code == (-signal.SIGKILL if moment < len(FILES) + 2 else 0)
    if moment == 0:
        assert contents(tmp_path) == {"old"}
        verify(tmp_path / "a.onnx", file_digest(tmp_path / "a.onnx"))
    elif moment < len(FILES) + 2:
        for model in ("a.onnx", "b.onnx"):
            with pytest.raises(ModelError, match=f"{tmp_path}: is incomplete, .*; export or publish the model again"):
                verify(tmp_path / model, file_digest(tmp_path / model))
    else:
        assert contents(tmp_path) == {"new"}
        verify(tmp_path / "a.onnx", file_digest(tmp_path / "a.onnx"))
    publish(tmp_path, "newer")
    assert contents(tmp_path) == {"newer"}
    verify(tmp_path / "b.onnx", file_digest(tmp_path / "b.onnx"))
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_pneumo_infer_refuses_a_folder_that_is_incomplete(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx", METADATA)
    (tmp_path / CHECKSUMS).write_text(f"{INCOMPLETE}\n{file_digest(model)}  model.onnx\n")
    command = [sys.executable, "-m", "pneumo_infer", "--model", model, "--info"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert (
        f"{tmp_path}: is incomplete, because publishing the files in it did not end; export or publish" in done.stderr
    )


def test_models_that_stay_keep_their_digests(tmp_path: Path) -> None:
    publish(tmp_path, "old")
    (tmp_path / "b.onnx").write_text("altered")
    (tmp_path / "c.onnx").write_text("not listed yet")
    publish(tmp_path, "new", ["a.onnx"])
    verify(tmp_path / "a.onnx", file_digest(tmp_path / "a.onnx"))
    verify(tmp_path / "c.onnx", file_digest(tmp_path / "c.onnx"))
    with pytest.raises(ModelError, match="is not the file that was released"):
        verify(tmp_path / "b.onnx", file_digest(tmp_path / "b.onnx"))


def test_a_folder_in_the_way_changes_nothing(tmp_path: Path) -> None:
    publish(tmp_path, "old")
    (tmp_path / "card.md").unlink()
    (tmp_path / "card.md").mkdir()
    with pytest.raises(IsADirectoryError):
        publish(tmp_path, "new")
    assert (tmp_path / "a.onnx").read_text() == "old"
    verify(tmp_path / "a.onnx", file_digest(tmp_path / "a.onnx"))


def test_an_interrupt_waits_until_all_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path, "new")
    assert contents(tmp_path) == {"new"}
    verify(tmp_path / "a.onnx", file_digest(tmp_path / "a.onnx"))


def test_a_staging_folder_in_use_is_kept(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        publish(tmp_path, "new")
        assert staged.is_dir()
