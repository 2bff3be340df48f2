"""A DICOM node as a program, and its peers: a PACS that keeps what it is sent, and a modality that sends films."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from made_films import dicom_film, flat_film
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import ComprehensiveSRStorage, SecondaryCaptureImageStorage
from pynetdicom.transport import ThreadedAssociationServer
from waiting import SECONDS, until

COMMAND = (sys.executable, "-m", "pneumo_infer.serve", "dicom", "--port", "0", "--device", "cpu", "--threads", "1")
PATIENT = "Geheim^Nanette"
HEADER = {
    "Modality": "DX",
    "PresentationIntentType": "FOR PRESENTATION",
    "BodyPartExamined": "CHEST",
    "ViewPosition": "PA",
    "PatientName": PATIENT,
    "PatientID": "GH-4711",
    "PatientBirthDate": "20170301",
    "PatientSex": "F",
    "StudyDate": "20200105",
    "StudyTime": "101500",
    "StudyID": "17",
    "AccessionNumber": "A-17",
    "ReferringPhysicianName": "",
}


def study_film(grey: int = 140, **attributes: Any) -> bytes:
    """Write a film of one grey as a modality would: with patient, study and series."""
    pixels = flat_film(grey).astype(np.uint16) * 16
    uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    return dicom_film(pixels, **{**HEADER, **uids, **attributes})


class RunningNode:
    """A `pneumo-serve dicom` that listens."""

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self._log = log
        begin = log.stat().st_size if log.exists() else 0
        with log.open("ab") as errors:
            self.process = subprocess.Popen(command, stderr=errors, stdout=errors)
        found = until(lambda: re.search(r"on port (\d+)", self.log()[begin:]) or self.process.poll() is not None)
        assert found is not True, self.log()
        self.port = int(found[1])

    def log(self) -> str:
        return self._log.read_text()


@contextmanager
def running(spool: Path, model: Path, *options: str | Path) -> Iterator[RunningNode]:
    """Run a node; at the end stop it, and check that it stopped as it should."""
    node = RunningNode([*COMMAND, "--spool", spool, "--model", model, *options], spool.with_suffix(".log"))
    try:
        yield node
        node.process.terminate()
        assert node.process.wait(SECONDS) == 0, node.log()
    finally:
        node.process.kill()
        node.process.wait()
    assert "Geheim" not in node.log()
    assert "GH-4711" not in node.log()


@dataclass
class Pacs:
    """A storage node that keeps what it is sent, by SOP Instance UID."""

    objects: dict[str, Dataset] = field(default_factory=dict)
    times_sent: dict[str, int] = field(default_factory=dict)
    status: int = 0
    port: int = 0

    def store(self, event: evt.Event) -> int:
        if self.status:
            return self.status
        stored = dcmread(io.BytesIO(event.encoded_dataset()))
        uid = str(stored.SOPInstanceUID)
        self.times_sent[uid] = self.times_sent.get(uid, 0) + 1
        known = self.objects.setdefault(uid, stored)
        assert known == stored, "the same UID with other content"
        return 0

    def answers_to(self, film: bytes) -> list[Dataset]:
        """What was made from a film: its report and its overlay, in this order."""
        study = dcmread(io.BytesIO(film), stop_before_pixels=True).StudyInstanceUID
        found = [each for each in [*self.objects.values()] if each.StudyInstanceUID == study]
        return sorted(found, key=lambda answer: int(answer.SeriesNumber))

    def wait_for(self, film: bytes) -> list[Dataset]:
        """Wait for both answers to a film."""
        return list(until(lambda: (answers := self.answers_to(film))[1:] and answers))


@contextmanager
def pacs(port: int = 0, title: str = "PACS", **options: Any) -> Iterator[Pacs]:
    """Run a PACS in threads of this process."""
    entity, archive = AE(title), Pacs()
    for sop_class in (ComprehensiveSRStorage, SecondaryCaptureImageStorage):
        entity.add_supported_context(sop_class)
    server = entity.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, archive.store)], **options
    )
    assert isinstance(server, ThreadedAssociationServer)
    archive.port = server.server_address[1]
    try:
        yield archive
    finally:
        entity.shutdown()


def send(port: int, *films: bytes, title: str = "PNEUMO", own_title: str = "MODALITY", **options: Any) -> list[int]:
    """Send films as they are encoded, and return the status of each; none if there is no association."""
    entity = AE(own_title)
    heads = [dcmread(io.BytesIO(film), stop_before_pixels=True) for film in films]
    for sop_class, syntax in {(head.SOPClassUID, head.file_meta.TransferSyntaxUID) for head in heads}:
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate("127.0.0.1", port, ae_title=title, **options)
    try:
        return [
            association.send_c_store(dcmread(io.BytesIO(film))).get("Status", -1)
            for film in films
            if association.is_established
        ]
    finally:
        association.release()


def reasons(spool: Path) -> dict[str, str]:
    """Why films were refused, by SOP Instance UID."""
    return {path.parent.name: path.read_text().strip() for path in spool.glob("refused/*/reason")}


def uid_of(film: bytes) -> str:
    return str(dcmread(io.BytesIO(film), stop_before_pixels=True).SOPInstanceUID)
