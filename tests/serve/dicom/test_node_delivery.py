"""The DICOM node delivers its answers, whatever happens to the PACS or to itself."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from dicom_node import pacs, running, send, study_film
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from waiting import until

# pynetdicom leaves sockets of associations that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700


def test_a_full_spool_refuses_until_there_is_room(model: Path, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    films = [study_film() for _ in range(30)]
    options = ("--send-to", f"PACS@127.0.0.1:{port}", "--spool-megabytes", "1")
    with running(tmp_path / "spool", model, *options) as node:
        statuses = send(node.port, *films)
        assert statuses[:4] == [SUCCESS] * 4
        assert OUT_OF_RESOURCES in statuses
        assert set(statuses) == {SUCCESS, OUT_OF_RESOURCES}
        until(lambda: "cannot deliver" in node.log())
        with pacs(port) as archive:
            for film, status in zip(films, statuses, strict=True):
                if status == SUCCESS:
                    archive.wait_for(film)
            until(lambda: send(node.port, films[-1]) == [SUCCESS])
            archive.wait_for(films[-1])


def test_films_are_kept_while_the_pacs_is_down_and_the_node_is_stopped(model: Path, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    films = [study_film() for _ in range(3)]
    options = ("--send-to", f"PACS@127.0.0.1:{port}")
    with running(tmp_path / "spool", model, *options) as node:
        assert send(node.port, *films) == [SUCCESS] * 3
        until(lambda: "cannot deliver" in node.log())
    with pacs(port) as archive, running(tmp_path / "spool", model, *options):
        for film in films:
            archive.wait_for(film)


def test_an_answer_that_the_pacs_refuses_is_kept_and_holds_up_no_other(model: Path, tmp_path: Path) -> None:
    with pacs() as archive:
        options = ("--send-to", f"PACS@127.0.0.1:{archive.port}")
        refused, accepted = study_film(), study_film()
        with running(tmp_path / "spool", model, *options) as node:
            archive.status = 0xC123
            send(node.port, refused)
            until(lambda: "status 0xC123" in node.log())
            archive.status = 0
            send(node.port, accepted)
            archive.wait_for(accepted)
            assert not archive.answers_to(refused)
        with running(tmp_path / "spool", model, *options):
            archive.wait_for(refused)


def test_answers_are_written_into_a_folder(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "answers"
    target.mkdir()
    film = study_film()
    with running(tmp_path / "spool", model, "--write-to", target) as node:
        send(node.port, film)
        until(lambda: list((tmp_path / "spool/delivered").iterdir()))
    answers = {path.stem: dcmread(path) for path in target.iterdir()}
    assert {uid: answer.SOPInstanceUID for uid, answer in answers.items()} == {uid: uid for uid in answers}
    assert sorted(answer.Modality for answer in answers.values()) == ["OT", "SR"]


def test_a_stop_ends_open_associations_and_loses_nothing(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "answers"
    target.mkdir()
    films = [study_film() for _ in range(20)]
    with running(tmp_path / "spool", model, "--write-to", target) as node:
        entity = AE("MODALITY")
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", node.port, ae_title="PNEUMO")
        assert association.is_established
        assert send(node.port, *films) == [SUCCESS] * 20
        started = time.monotonic()
        node.process.terminate()
        assert node.process.wait(120) == 0
        assert time.monotonic() - started < 60
        association.abort()
    with running(tmp_path / "spool", model, "--write-to", target):
        until(lambda: len(list((tmp_path / "spool/delivered").iterdir())) == 20)
    assert len(list(target.iterdir())) == 40


def test_systemd_is_told_when_the_node_is_ready(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
        notifications.bind(str(tmp_path / "notify"))
        notifications.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with running(tmp_path / "spool", model, "--write-to", tmp_path):
            assert notifications.recv(100) == b"READY=1"
        assert notifications.recv(100) == b"STOPPING=1"
