"""Make the answers to a film: a structured report, and a secondary capture that shows the evidence."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import highdicom
import numpy as np
from highdicom.sc import SCImage
from highdicom.sr import ComprehensiveSR
from PIL import Image
from pydicom import Dataset, dcmwrite
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from pneumo_infer import __version__
from pneumo_infer.films.raster import read_film
from pneumo_infer.limits import Limits
from pneumo_infer.serve.dicom.content import CODING_SCHEME, report_content
from pneumo_infer.serve.dicom.identity import MANUFACTURER, MODEL_NAME, derived_uid
from pneumo_infer.serve.dicom.source import SHARED

if TYPE_CHECKING:
    from pneumo_infer.prediction import Prediction

REPORT, OVERLAY = "report", "overlay"
SERIES_NUMBERS = {REPORT: 9901, OVERLAY: 9902}  # behind those of the modality
DESCRIPTIONS = {REPORT: "FOR RESEARCH: pneumonia report", OVERLAY: "FOR RESEARCH: pneumonia evidence"}
OVERLAY_SIDE = 1024  # pixels; at full size, in colour and uncompressed, it would be six times as large as the film
# Attributes that must be there, if only empty (PS3.3 C.7.1.1, C.7.2.1).
REQUIRED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)


def make_answers(source: Dataset, prediction: Prediction, film: Path, limits: Limits) -> dict[str, bytes]:
    """Make the answers to a film.

    Parameters
    ----------
    source
        The film's header, as `read_source` reads it.
    prediction
        What the model says of it.
    film
        Its file, over a smaller copy of which the evidence is drawn.
    limits
        Size limits of films.

    Returns
    -------
    dict
        The contents of the DICOM files, by file name.
    """
    answers = {REPORT: _report(source, prediction), OVERLAY: _overlay(source, prediction, film, limits)}
    return {f"{name}.dcm": _encode(answer) for name, answer in answers.items()}


def _report(source: Dataset, prediction: Prediction) -> ComprehensiveSR:
    report = ComprehensiveSR(
        evidence=[_reference(source)],
        content=report_content(source, prediction)[0],
        is_complete=True,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        coding_schemes=[CODING_SCHEME],
        **_identity(REPORT, source, prediction),
    )
    _share(source, report)
    return report


def _overlay(source: Dataset, prediction: Prediction, film: Path, limits: Limits) -> SCImage:
    image = Image.fromarray(read_film(film, limits))
    image.thumbnail((OVERLAY_SIDE, OVERLAY_SIDE))
    overlay = SCImage(
        pixel_array=np.asarray(prediction.overlay(image, limits)),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # as highdicom demands; replaced below
        study_instance_uid=source.StudyInstanceUID,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **_identity(OVERLAY, source, prediction),
    )
    overlay.PatientOrientation = source.get("PatientOrientation")
    overlay.Laterality = ""  # the chest is not one of a pair
    if source.get("BurnedInAnnotation"):  # whose pixels are in the overlay
        overlay.BurnedInAnnotation = source.BurnedInAnnotation
    overlay.DerivationDescription = "Evidence for pneumonia drawn over the film by an algorithm"
    reference = Dataset()
    reference.ReferencedSOPClassUID = source.SOPClassUID
    reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
    reference.PurposeOfReferenceCodeSequence = [
        highdicom.sr.CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
    ]
    overlay.SourceImageSequence = [reference]
    _share(source, overlay)
    return overlay


def _identity(kind: str, source: Dataset, prediction: Prediction) -> dict[str, Any]:
    origins = (source.SOPInstanceUID, str(prediction.model_sha256))
    return {
        "sop_instance_uid": derived_uid(kind, *origins),
        "series_instance_uid": derived_uid(f"series of the {kind}", *origins),
        "series_number": SERIES_NUMBERS[kind],
        "series_description": DESCRIPTIONS[kind],
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": __version__,
        "device_serial_number": prediction.model_sha256,
    }


def _reference(source: Dataset) -> Dataset:
    """Copy what identifies the film, with empty attributes of patient and study.

    highdicom refuses values that break the standard, which films have but must be in the answers all the same, so that
    these belong to the same patient and study. `_share` adds them.
    """
    reference = Dataset()
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(reference, keyword, source.get(keyword))
    for keyword in REQUIRED:
        setattr(reference, keyword, "")
    return reference


def _share(source: Dataset, answer: Dataset) -> None:
    """Copy the attributes of patient and study as they are, in the film's own character set."""
    for keyword in SHARED:
        if keyword in source:
            answer[keyword] = source[keyword]
        elif keyword in REQUIRED:
            setattr(answer, keyword, "")


def _encode(answer: Dataset) -> bytes:
    file = io.BytesIO()
    dcmwrite(file, answer, enforce_file_format=True)
    return file.getvalue()
