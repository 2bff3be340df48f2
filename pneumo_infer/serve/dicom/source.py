"""What the node reads from the header of a film: whether to answer it, and what the answers have in common with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.uid import SecondaryCaptureImageStorage

from pneumo_infer.films.dicom.file import inflate
from pneumo_infer.films.dicom.header import Population, contradictions, read_header
from pneumo_infer.films.dicom.parse import parse_header
from pneumo_infer.films.source import read_bytes
from pneumo_infer.limits import Limits
from pneumo_infer.serve.dicom.identity import MANUFACTURER, MODEL_NAME

if TYPE_CHECKING:
    from pydicom import Dataset

UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# Attributes of the patient and the study that the answers share with the film (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2).
SHARED = (
    *("SpecificCharacterSet", "TimezoneOffsetFromUTC"),
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName"),
)
OTHERS = (
    *("Manufacturer", "ManufacturerModelName", "SourceImageSequence", "PatientOrientation", "BurnedInAnnotation"),
    *("Modality", "PresentationIntentType", "BodyPartExamined", "ViewPosition"),
)
KEYWORDS = (*UIDS, *SHARED, *OTHERS)
VALID_UID = re.compile(r"\d+(\.\d+)*", re.ASCII)  # PS3.5 9.1; leading zeros are common, and harmless here
LONGEST_UID = 64


def is_uid(text: str) -> bool:
    """Return whether a text is a UID, and so a safe name of a folder."""
    return len(text) <= LONGEST_UID and VALID_UID.fullmatch(text) is not None


def read_source(film: Path, limits: Limits) -> Dataset:
    """Read the attributes of `KEYWORDS` from a film.

    Raises
    ------
    ImageError
        The film exceeds the limits.
    Exception
        The film is damaged: pydicom raises many kinds of exceptions.
    """
    name = film.name
    return parse_header(inflate(read_bytes(film, name, limits), name, limits), name, KEYWORDS)


def is_own(source: Dataset) -> bool:
    """Return whether an object was made by this program: a PACS that forwards everything sends answers back."""
    return bool(source.get("Manufacturer") == MANUFACTURER and source.get("ManufacturerModelName") == MODEL_NAME)


def objections(source: Dataset, uid: str, population: Population | None) -> list[str]:
    """List what in its header speaks against answering a film.

    Parameters
    ----------
    source
        The header.
    uid
        The SOP Instance UID that the film was sent with.
    population
        The patients and views that the model was trained on.
    """
    found = [f"no valid {keyword}" for keyword in UIDS if not is_uid(str(source.get(keyword) or ""))]
    if not found and source.SOPInstanceUID != uid:
        found.append("sent with another SOP Instance UID")
    if source.get("SOPClassUID") == SecondaryCaptureImageStorage and source.get("SourceImageSequence"):
        found.append("a secondary capture that was made from another image")
    return found + contradictions(read_header(source), population)
