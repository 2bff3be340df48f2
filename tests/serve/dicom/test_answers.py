"""The structured report and the overlay that answer a film."""

from __future__ import annotations

import io
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_node import HEADER, PATIENT, study_film, uid_of
from made_films import dicom_film
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR
from small_models import METADATA, write_model

from pneumo_infer import Classifier, ImageError
from pneumo_infer.films.dicom.header import Population
from pneumo_infer.limits import LIMITS, Limits
from pneumo_infer.serve.dicom.answer import OVERLAY_SIDE, make_answers
from pneumo_infer.serve.dicom.source import is_own, is_uid, objections, read_source

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom", "ignore::UserWarning:highdicom")
COMPUTED_RADIOGRAPHY, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    path = tmp_path_factory.mktemp("model") / "small.onnx"
    band = {"uncertain_band": '{"low": 0.4, "high": 0.6}'}
    return Classifier(write_model(path, {**METADATA, **band, "domain_limit": "20"}), device="cpu", threads=1)


def answers_to(film: bytes, classifier: Classifier, folder: Path) -> dict[str, Path]:
    path = folder / "film.dcm"
    path.write_bytes(film)
    made = make_answers(read_source(path, LIMITS), classifier.predict(path), path, LIMITS)
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in made}


def content_of(report: Path) -> dict[str, list[Any]]:
    """Values of all content items, by the meaning of their names."""
    found: dict[str, list[Any]] = {}

    def walk(item: Dataset) -> None:
        for child in item.get("ContentSequence", []):
            name = child.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in child else ""
            if child.ValueType == "NUM":
                found.setdefault(name, []).append(float(child.MeasuredValueSequence[0].NumericValue))
            elif child.ValueType == "CODE":
                found.setdefault(name, []).append(child.ConceptCodeSequence[0].CodeValue)
            elif child.ValueType == "IMAGE":
                found.setdefault(name, []).append(child.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
            else:
                found.setdefault(name, []).append(child.get("TextValue"))
            walk(child)

    walk(dcmread(report))
    return found


@pytest.mark.parametrize(
    ("grey", "outcome", "reason"),
    [
        (140, "PNEUMONIA", None),
        (120, "NORMAL", None),
        (128, "NEEDS_REVIEW", "uncertain"),
        (220, "NEEDS_REVIEW", "out_of_domain"),
    ],
)
def test_the_report_says_what_the_model_said(
    classifier: Classifier, tmp_path: Path, grey: int, outcome: str, reason: str | None
) -> None:
    film = study_film(grey)
    content = content_of(answers_to(film, classifier, tmp_path)["report.dcm"])
    prediction = classifier.predict(film)
    assert (prediction.outcome, prediction.reason) == (outcome, reason)
    assert content["Outcome"] == [outcome]
    assert content.get("Reason for review") == ([reason] if reason else None)
    assert content["Probability"] == [pytest.approx(prediction.probability, abs=1e-6)]
    assert content["Threshold Value"] == [prediction.threshold]
    assert content["Source of Measurement"] == [uid_of(film)]
    assert content["Algorithm Name"] == ["pneumo-infer"]
    assert any(str(classifier.model.sha256) in text for text in content["Algorithm Parameters"])
    assert "not a cleared medical device" in content["Comment"][0]


def test_both_belong_to_the_film(classifier: Classifier, tmp_path: Path) -> None:
    film = dcmread(io.BytesIO(study_film()))
    files = answers_to(study_film(StudyInstanceUID=film.StudyInstanceUID), classifier, tmp_path)
    report, overlay = (dcmread(files[name]) for name in ("report.dcm", "overlay.dcm"))
    source = dcmread(tmp_path / "film.dcm")
    for answer in (report, overlay):
        assert answer.StudyInstanceUID == film.StudyInstanceUID
        shared = {keyword: answer.get(keyword) for keyword in HEADER if keyword.startswith(("Patient", "Study", "Acc"))}
        assert shared == {keyword: HEADER[keyword] for keyword in shared}
        assert answer.SeriesInstanceUID != source.SeriesInstanceUID
        assert answer.SeriesDescription.startswith("FOR RESEARCH")
        assert is_own(answer)
    assert not is_own(source)
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.SeriesInstanceUID == source.SeriesInstanceUID
    assert overlay.ImageType[0] == "DERIVED"
    assert overlay.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    drawn = classifier.predict(tmp_path / "film.dcm").overlay(tmp_path / "film.dcm")
    np.testing.assert_array_equal(overlay.pixel_array, np.asarray(drawn))


def test_a_large_film_gets_a_smaller_overlay(classifier: Classifier, tmp_path: Path) -> None:
    large = dicom_film(
        np.tile(np.arange(2000, dtype=np.uint16), (1500, 1)),
        **{**HEADER, "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"},
    )
    overlay = dcmread(answers_to(large, classifier, tmp_path)["overlay.dcm"])
    assert overlay.Columns == OVERLAY_SIDE
    assert overlay.Rows < 1.2 * OVERLAY_SIDE


def test_uids_depend_on_the_film_and_the_model_only(classifier: Classifier, tmp_path: Path) -> None:
    def uids(film: bytes, answering: Classifier) -> list[tuple[str, str]]:
        made = [dcmread(path) for path in answers_to(film, answering, tmp_path).values()]
        return [(str(answer.SOPInstanceUID), str(answer.SeriesInstanceUID)) for answer in made]

    film = study_film()
    first = uids(film, classifier)
    assert uids(film, classifier) == first
    assert all(is_uid(uid) for answer in first for uid in answer)
    assert len({uid for answer in first for uid in answer}) == 4
    other = Classifier(write_model(tmp_path / "other.onnx", {**METADATA, "version": "1"}), device="cpu", threads=1)
    assert not {*uids(film, other)} & {*first}
    assert not {*uids(study_film(), classifier)} & {*first}


@pytest.mark.parametrize(
    ("name", "character_set"),
    [
        ("Buc^J\u00e9r\u00f4me", "ISO_IR 100"),
        ("\u041b\u044e\u043ace\u043c\u0431yp\u0433", "ISO_IR 144"),
        ("Yamada^Tarou=\u5c71\u7530^\u592a\u90ce", ["", "ISO 2022 IR 87"]),
        ("Wang^XiaoDong=\u738b^\u5c0f\u4e1c", "GB18030"),
        ("Ж^Ö=山田", "ISO_IR 192"),
    ],
)
def test_names_keep_their_characters(
    classifier: Classifier, tmp_path: Path, name: str, character_set: str | list[str]
) -> None:
    film = study_film(SpecificCharacterSet=character_set, PatientName=name)
    for path in answers_to(film, classifier, tmp_path).values():
        assert str(dcmread(path).PatientName) == name


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientSex": "X", "PatientBirthDate": "unknown", "StudyDate": "2020.01.05", "StudyTime": "ten"},
        {"PatientName": "No Carets", "PatientID": "", "StudyID": "longer than the sixteen characters of an SH"},
        {"SpecificCharacterSet": "ISO_IR 999"},
    ],
)
def test_headers_that_break_the_standard_are_answered(
    classifier: Classifier, tmp_path: Path, attributes: dict[str, str]
) -> None:
    film = dcmread(io.BytesIO(study_film()))
    for keyword, value in attributes.items():
        film.add_new(keyword, dictionary_VR(keyword), value)
    file = io.BytesIO()
    film.save_as(file)
    files = answers_to(file.getvalue(), classifier, tmp_path)
    for path in files.values():
        answer = dcmread(path)
        assert {keyword: answer.get(keyword) for keyword in attributes} == attributes


def test_attributes_that_are_missing_are_empty(classifier: Classifier, tmp_path: Path) -> None:
    film = dcmread(io.BytesIO(study_film()))
    for keyword in HEADER:
        delattr(film, keyword)
    file = io.BytesIO()
    film.save_as(file)
    for path in answers_to(file.getvalue(), classifier, tmp_path).values():
        answer = dcmread(path)
        assert (answer.PatientName, answer.PatientID, answer.StudyDate) == ("", "", "")


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="needs dicom3tools")
@pytest.mark.parametrize("sop_class", ["", COMPUTED_RADIOGRAPHY, SECONDARY_CAPTURE])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"PatientOrientation": ["L", "F"], "BurnedInAnnotation": "NO", "PatientAge": "003Y"},
        {"PatientName": "", "PatientID": "", "PatientSex": "", "PatientBirthDate": "", "AccessionNumber": ""},
        {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "山田^太郎", "StudyDescription": "Thorax p.a."},
    ],
)
def test_dciodvfy_finds_no_errors(
    classifier: Classifier, tmp_path: Path, sop_class: str, attributes: dict[str, Any]
) -> None:
    if sop_class:
        attributes = {**attributes, "SOPClassUID": sop_class, "Modality": "CR"}
    for path in answers_to(study_film(**attributes), classifier, tmp_path).values():
        checked = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert not [line for line in checked.stderr.splitlines() if line.startswith("Error")], checked.stderr


@pytest.mark.skipif(not shutil.which("dsrdump"), reason="needs DCMTK")
def test_dsrdump_reads_the_report(classifier: Classifier, tmp_path: Path) -> None:
    report = answers_to(study_film(), classifier, tmp_path)["report.dcm"]
    dumped = subprocess.run(["dsrdump", "+Pl", report], capture_output=True, text=True, check=True)
    assert not dumped.stderr
    for text in ("Comprehensive SR Document", '"Pneumonia"', "Probability", "UNVERIFIED", classifier.model.sha256):
        assert text in dumped.stdout


@pytest.mark.parametrize(
    ("attributes", "objection"),
    [
        ({}, ""),
        ({"StudyInstanceUID": ""}, "no valid StudyInstanceUID"),
        ({"SeriesInstanceUID": "../../etc"}, "no valid SeriesInstanceUID"),
        ({"SOPInstanceUID": "1.2.3"}, "sent with another SOP Instance UID"),
        ({"ViewPosition": "LL"}, "view LL"),
        ({"Modality": "CT"}, "modality CT"),
        ({"SOPClassUID": SECONDARY_CAPTURE, "SourceImageSequence": [Dataset()]}, "made from another image"),
        ({"SourceImageSequence": [Dataset()]}, ""),
    ],
)
def test_objections(tmp_path: Path, attributes: dict[str, Any], objection: str) -> None:
    film = dcmread(io.BytesIO(study_film()))
    uid = str(film.SOPInstanceUID)
    for keyword, value in attributes.items():
        setattr(film, keyword, value)
    film.save_as(tmp_path / "film.dcm")
    found = objections(read_source(tmp_path / "film.dcm", LIMITS), uid, Population((0, 6), ("AP", "PA")))
    assert objection in "; ".join(found)
    assert bool(found) == bool(objection)


def test_a_header_that_inflates_without_end_is_an_error(tmp_path: Path) -> None:
    film = dcmread(io.BytesIO(study_film()))
    film.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    film.save_as(tmp_path / "film.dcm")
    assert read_source(tmp_path / "film.dcm", LIMITS).PatientName == PATIENT
    meta = (tmp_path / "film.dcm").read_bytes()
    end = 144 + int.from_bytes(meta[140:144], "little")
    packer = zlib.compressobj(wbits=-15)
    bomb = packer.compress(b"\x09\x00\x10\x10UN\x00\x00\xff\xff\xff\x0f" + bytes(50_000_000)) + packer.flush()
    (tmp_path / "film.dcm").write_bytes(meta[:end] + bomb)
    with pytest.raises(ImageError, match="exceeds the limit"):
        read_source(tmp_path / "film.dcm", Limits(encoded_bytes=1_000_000))


@pytest.mark.parametrize("text", ["", ".", "..", "1..2", "1.2.", "1/2", "1.2\n", "1" * 65, "\u0661.2"])
def test_what_is_no_uid_is_no_name_of_a_folder(text: str) -> None:
    assert not is_uid(text)
