"""What the DICOM node makes of the objects that it is sent."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dicom_node import Pacs, RunningNode, pacs, reasons, running, send, study_film, uid_of
from encoded_films import SYNTAXES, encoded_film
from pydicom import dcmread, uid
from waiting import until

from pneumo_infer import Classifier

# pynetdicom leaves sockets of associations that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
SUCCESS, DUPLICATE = 0x0000, 0x0111
FOR_PROCESSING = uid.UID("1.2.840.10008.5.1.4.1.1.1.1.1")


class Place(NamedTuple):
    """A node between a modality and a PACS."""

    node: RunningNode
    archive: Pacs
    spool: Path
    model: Path

    def send(self, *films: bytes) -> list[int]:
        return send(self.node.port, *films)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Place]:
    spool = tmp_path_factory.mktemp("node") / "spool"
    with pacs() as archive, running(spool, model, "--send-to", f"PACS@127.0.0.1:{archive.port}") as node:
        yield Place(node, archive, spool, model)


@pytest.mark.skipif(not shutil.which("echoscu"), reason="needs DCMTK")
def test_the_node_answers_a_verification(place: Place) -> None:
    subprocess.run(["echoscu", "-aec", "PNEUMO", "127.0.0.1", str(place.node.port)], check=True, timeout=60)
    wrong = subprocess.run(["echoscu", "-aec", "OTHER", "127.0.0.1", str(place.node.port)], check=False, timeout=60)
    assert wrong.returncode != 0
    until(lambda: "rejected an association: ECHOSCU at 127.0.0.1" in place.node.log())


@pytest.mark.skipif(not shutil.which("storescu"), reason="needs DCMTK")
def test_a_film_from_storescu_gets_a_report_and_an_overlay(place: Place, tmp_path: Path) -> None:
    film = study_film()
    (tmp_path / "film.dcm").write_bytes(film)
    command = ["storescu", "-aec", "PNEUMO", "127.0.0.1", str(place.node.port), tmp_path / "film.dcm"]
    subprocess.run(command, check=True, timeout=60)
    report, overlay = place.archive.wait_for(film)
    assert (report.Modality, overlay.Modality) == ("SR", "OT")
    assert report.SeriesDescription.startswith("FOR RESEARCH")
    until((place.spool / "delivered" / uid_of(film)).exists)
    assert [path.name for path in (place.spool / "delivered" / uid_of(film)).iterdir()] == ["sha256"]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"ViewPosition": "LL"}, "view LL"),
        ({"BodyPartExamined": "HAND"}, "body part HAND"),
        ({"Modality": "CT"}, "modality CT"),
        ({"PatientBirthDate": "19500101"}, "the patient's age"),
        (
            {"SOPClassUID": FOR_PROCESSING, "PresentationIntentType": "FOR PROCESSING"},
            "for processing",
        ),
        ({"StudyInstanceUID": ""}, "no valid StudyInstanceUID"),
        ({"BitsStored": 77}, "cannot be read as DICOM"),
    ],
)
def test_what_is_no_film_for_the_model_is_refused(place: Place, attributes: dict[str, Any], reason: str) -> None:
    film = study_film(**attributes)
    assert place.send(film) == [SUCCESS]
    until(lambda: uid_of(film) in reasons(place.spool))
    assert reason in reasons(place.spool)[uid_of(film)]
    folder = place.spool / "refused" / uid_of(film)
    until(lambda: sorted(path.name for path in folder.iterdir()) == ["reason", "sha256"])
    assert not place.archive.answers_to(film)


def test_a_blank_film_is_refused(place: Place) -> None:
    film = dcmread(io.BytesIO(study_film()))
    film.PixelData = bytes(len(film.PixelData))
    file = io.BytesIO()
    film.save_as(file)
    assert place.send(file.getvalue()) == [SUCCESS]
    until(lambda: "blank" in reasons(place.spool).get(film.SOPInstanceUID, ""))


def test_answers_that_come_back_are_dropped(place: Place) -> None:
    film = study_film()
    place.send(film)
    answers = place.archive.wait_for(film)
    files = []
    for answer in answers:
        file = io.BytesIO()
        answer.save_as(file, enforce_file_format=True)
        files.append(file.getvalue())
    assert place.send(*files) == [SUCCESS, SUCCESS]
    for answer in answers:
        until(lambda uid=answer.SOPInstanceUID: f"{uid}: dropped" in place.node.log())
    last = study_film()  # once it is answered, nothing is on its way any more
    place.send(last)
    place.archive.wait_for(last)
    assert len(place.archive.answers_to(film)) == 2
    assert not {answer.SOPInstanceUID for answer in answers} & {path.name for path in place.spool.glob("*/*")}


def test_a_film_that_is_sent_twice_is_answered_once(place: Place) -> None:
    film = study_film()
    assert place.send(film, film) == [SUCCESS, SUCCESS]
    answers = place.archive.wait_for(film)
    assert place.send(film) == [SUCCESS]
    last = study_film()
    place.send(last)
    place.archive.wait_for(last)
    assert [place.archive.times_sent[answer.SOPInstanceUID] for answer in answers] == [1, 1]


def test_the_same_uid_with_other_content_is_refused(place: Place) -> None:
    film = study_film()
    other = study_film(150, SOPInstanceUID=uid_of(film))
    assert place.send(film, other) == [SUCCESS, DUPLICATE]
    place.archive.wait_for(film)
    assert place.send(other) == [DUPLICATE]
    assert not place.archive.answers_to(other)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_every_transfer_syntax_is_accepted_in_a_context_of_its_own(place: Place, syntax: uid.UID) -> None:
    film = encoded_film(syntax)
    assert place.send(film) == [SUCCESS]
    until(lambda: place.archive.answers_to(film)[1:] or uid_of(film) in reasons(place.spool))
    assert place.archive.answers_to(film), reasons(place.spool)


def test_the_node_and_the_classifier_agree(place: Place) -> None:
    film = study_film(grey=128)
    place.send(film)
    report, _ = place.archive.wait_for(film)
    prediction = Classifier(place.model, device="cpu", threads=1).predict(film)
    assert f"{prediction.probability:.6f}".rstrip("0")[:6] in str(report)
