"""What the header of a DICOM film says about it, and whether the model was made for such films."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

RADIOGRAPHS = ("CR", "DX", "SC", "OT")  # secondary captures and "other" are often exported radiographs
CHEST = re.compile("CHEST|THORA|TORAX|LUNG|PULM", re.IGNORECASE)
# PS3.3 C.8.11.5.1.1 and what older CR files have.
VIEWS = ("AP", "PA", "LL", "RL", "LLD", "RLD", "LLO", "RLO", "LAT", "LATERAL")
DAYS_PER_UNIT = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}  # PS3.5 6.2, age strings
AGE_TOLERANCE = 1.0  # years


@dataclass(frozen=True, slots=True)
class FilmHeader:
    """Attributes that decide whether a model was made for a film; empty or None where the header says nothing.

    Attributes
    ----------
    intent
        Presentation Intent Type: `FOR PRESENTATION` or `FOR PROCESSING`.
    age_years
        The patient's age when the film was made. It is used for this decision only and never recorded.
    """

    modality: str = ""
    intent: str = ""
    body_part: str = ""
    view: str = ""
    age_years: float | None = None


@dataclass(frozen=True, slots=True)
class Population:
    """The patients and views that a model was trained on: ages in years, both included, and view positions."""

    age_years: tuple[float, float]
    views: tuple[str, ...]


def read_header(film: Dataset) -> FilmHeader:
    """Read the attributes of `FilmHeader`; those that are missing or malformed are left empty."""
    return FilmHeader(
        modality=_text(film, "Modality"),
        intent=_text(film, "PresentationIntentType"),
        body_part=_text(film, "BodyPartExamined"),
        view=_text(film, "ViewPosition"),
        age_years=_age(film),
    )


def contradictions(header: FilmHeader, population: Population | None) -> list[str]:
    """List what the header says that a model does not know; attributes that are missing decide nothing.

    Parameters
    ----------
    population
        The model's own; without it, age and view are not checked.
    """
    found = []
    if header.modality and header.modality not in RADIOGRAPHS:
        found.append(f"modality {header.modality}")
    if header.intent == "FOR PROCESSING":
        found.append("pixels for processing, not for presentation")
    if header.body_part and not CHEST.search(header.body_part):
        found.append(f"body part {header.body_part}")
    if population is not None:
        youngest, oldest = population.age_years
        if header.view in VIEWS and header.view not in population.views:
            found.append(f"view {header.view}")
        if header.age_years is not None and not (
            youngest - AGE_TOLERANCE <= header.age_years < oldest + AGE_TOLERANCE + 1  # ages are in completed years
        ):
            found.append("the patient's age")
    return found


def _text(film: Dataset, keyword: str) -> str:
    try:
        return str(film.get(keyword) or "").strip().upper()
    except Exception:  # pydicom raises many kinds of exceptions on malformed values
        return ""


def _age(film: Dataset) -> float | None:
    stated = re.fullmatch(r"(\d{1,3})([DWMY])", _text(film, "PatientAge"))
    if stated:
        return int(stated[1]) * DAYS_PER_UNIT[stated[2]] / DAYS_PER_UNIT["Y"]
    born, filmed = _date(film, "PatientBirthDate"), _date(film, "StudyDate")
    return None if born is None or filmed is None or born > filmed else (filmed - born).days / DAYS_PER_UNIT["Y"]


def _date(film: Dataset, keyword: str) -> date | None:
    text = _text(film, keyword)
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
