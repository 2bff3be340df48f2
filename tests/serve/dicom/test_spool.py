"""The folders that keep films from reception to delivery."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from pneumo_infer import PneumoError
from pneumo_infer.serve.dicom import spool as spool_module
from pneumo_infer.serve.dicom.spool import Receipt, Spool, State

UID = "1.2.3"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", limit=100)


def folders(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.glob("spool/*/*/*"))


def test_a_film_goes_its_way_and_leaves_only_its_digest(spool: Spool, tmp_path: Path) -> None:
    assert spool.accept(UID, [b"head", memoryview(b"pixels")], "digest") is Receipt.NEW
    [received] = spool.waiting(State.RECEIVED)
    assert (received.uid, received.film.read_bytes()) == (UID, b"headpixels")
    spool.answer(received, {"report.dcm": b"report", "overlay.dcm": b"overlay"})
    assert not spool.waiting(State.RECEIVED)
    [answered] = spool.waiting(State.ANSWERED)
    assert [path.name for path in answered.answers()] == ["overlay.dcm", "report.dcm"]
    for answer in answered.answers():
        spool.delivered(answer)
    spool.finish(answered)
    assert folders(tmp_path) == ["spool/delivered/1.2.3/sha256"]


def test_a_film_is_known_in_every_state(spool: Spool) -> None:
    def receipts() -> list[Receipt]:
        return [spool.accept(UID, [b"film"], digest) for digest in ("same", "other")]

    assert receipts() == [Receipt.NEW, Receipt.CONFLICT]
    again = [Receipt.KNOWN, Receipt.CONFLICT]
    assert receipts() == again
    spool.answer(spool.waiting(State.RECEIVED)[0], {"report.dcm": b"report"})
    assert receipts() == again
    spool.finish(spool.waiting(State.ANSWERED)[0])
    assert receipts() == again


def test_refused_films_keep_the_reason_only(spool: Spool, tmp_path: Path) -> None:
    spool.accept(UID, [b"film"], "digest")
    spool.refuse(spool.waiting(State.RECEIVED)[0], "view LL")
    assert folders(tmp_path) == ["spool/refused/1.2.3/reason", "spool/refused/1.2.3/sha256"]
    assert spool.accept(UID, [b"film"], "digest") is Receipt.KNOWN


def test_a_dropped_object_leaves_nothing(spool: Spool, tmp_path: Path) -> None:
    spool.accept(UID, [b"film"], "digest")
    spool.drop(spool.waiting(State.RECEIVED)[0])
    assert not folders(tmp_path)
    assert spool.accept(UID, [b"another"], "other") is Receipt.NEW


def test_only_what_is_on_its_way_counts_towards_the_limit(spool: Spool, tmp_path: Path) -> None:
    assert spool.accept("1", [b"x" * 60], "digest") is Receipt.NEW
    assert spool.accept("2", [b"x" * 41], "digest") is Receipt.FULL
    spool.answer(spool.waiting(State.RECEIVED)[0], {"report.dcm": b"x" * 80})
    assert spool.accept("2", [b"x" * 21], "digest") is Receipt.FULL
    spool.close()
    again = Spool(tmp_path / "spool", limit=100)
    assert again.accept("2", [b"x" * 21], "digest") is Receipt.FULL
    again.finish(again.waiting(State.ANSWERED)[0])
    assert again.accept("2", [b"x" * 100], "digest") is Receipt.NEW


def test_a_full_disk_leaves_no_part_of_a_film(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(spool_module, "sync_folder", full)
        with pytest.raises(OSError, match="No space left"):
            spool.accept(UID, [b"film"], "digest")
    assert not spool.waiting(State.RECEIVED)
    assert spool.accept(UID, [b"film"], "digest") is Receipt.NEW


def test_what_was_not_acknowledged_is_removed_at_the_start(spool: Spool, tmp_path: Path) -> None:
    torn = tmp_path / "spool/arriving/1.2.3"
    torn.mkdir()
    (torn / "film.dcm").write_bytes(b"half a fi")
    spool.close()
    again = Spool(tmp_path / "spool", limit=100)
    assert not folders(tmp_path)
    assert again.accept(UID, [b"film"], "digest") is Receipt.NEW


def test_an_interrupted_answer_is_made_again(spool: Spool, tmp_path: Path) -> None:
    spool.accept(UID, [b"film"], "digest")
    (spool.waiting(State.RECEIVED)[0].folder / "report.dcm").write_bytes(b"half a rep")
    spool.close()
    again = Spool(tmp_path / "spool", limit=100)
    again.answer(again.waiting(State.RECEIVED)[0], {"report.dcm": b"report"})
    assert again.waiting(State.ANSWERED)[0].answers()[0].read_bytes() == b"report"
    again.finish(again.waiting(State.ANSWERED)[0])
    assert again.accept("2", [b"x" * 100], "digest") is Receipt.NEW


def test_old_films_are_forgotten(spool: Spool) -> None:
    spool.accept(UID, [b"film"], "digest")
    spool.refuse(spool.waiting(State.RECEIVED)[0], "view LL")
    spool.forget(days=1)
    assert spool.accept(UID, [b"film"], "digest") is Receipt.KNOWN
    days_ago = time.time() - 2 * 86_400
    os.utime(spool.waiting(State.REFUSED)[0].folder, (days_ago, days_ago))
    spool.forget(days=1)
    assert spool.accept(UID, [b"film"], "digest") is Receipt.NEW


def test_a_spool_is_for_one_process_and_one_user(spool: Spool, tmp_path: Path) -> None:
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    with pytest.raises(PneumoError, match="another pneumo-serve uses this spool"):
        Spool(tmp_path / "spool", limit=100)


def test_waiting_ends_with_news_and_not_before(spool: Spool) -> None:
    spool.wait(State.RECEIVED, 10)  # a new spool has news: what an earlier process left
    started = time.monotonic()
    spool.wait(State.RECEIVED, 0.05)
    assert time.monotonic() - started >= 0.05
    spool.accept(UID, [b"film"], "digest")
    started = time.monotonic()
    spool.wait(State.RECEIVED, 10)
    assert time.monotonic() - started < 5
