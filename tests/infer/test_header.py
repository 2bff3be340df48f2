"""What a DICOM header says of a film decides before the network does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_films import dicom_film, flat_film
from small_models import METADATA, write_model

from pneumo_infer import Classifier

CERTAIN, STRANGE = ((flat_film(grey, 64).astype(int) * 4095 // 255).astype(np.uint16) for grey in (123, 40))
POPULATION = json.dumps({"age_years": [0, 6], "views": ["AP", "PA"]})


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    return Classifier(write_model(path, {**METADATA, "domain_limit": "20", "population": POPULATION}), device="cpu")


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Modality": "DX"},
        {"Modality": "CR", "BodyPartExamined": "CHEST", "ViewPosition": "PA", "PatientAge": "003Y"},
        {"Modality": "SC", "BodyPartExamined": "THORAX AP", "PatientAge": "011M"},
        {"PatientAge": "007Y"},
        {"PatientAge": "", "ViewPosition": "", "BodyPartExamined": "", "Modality": ""},
        {"PatientBirthDate": "", "StudyDate": "20200101"},
        {"PatientBirthDate": "20150101", "StudyDate": "20200101"},
        {"PresentationIntentType": "FOR PRESENTATION"},
    ],
)
def test_a_header_that_fits_or_says_nothing_decides_nothing(classifier: Classifier, header: dict[str, Any]) -> None:
    prediction = classifier.predict(dicom_film(CERTAIN, **header))
    assert (prediction.outcome, prediction.reason) == ("NORMAL", None)


@pytest.mark.parametrize(
    "header",
    [
        {"Modality": "CT"},
        {"PresentationIntentType": "FOR PROCESSING"},
        {"BodyPartExamined": "HAND"},
        {"ViewPosition": "LL"},
        {"PatientAge": "045Y"},
        {"PatientAge": "008Y"},
        {"PatientBirthDate": "19500101", "StudyDate": "20200101"},
    ],
)
def test_a_header_that_contradicts_the_model_needs_review(classifier: Classifier, header: dict[str, Any]) -> None:
    prediction = classifier.predict(dicom_film(CERTAIN, **header))
    assert (prediction.outcome, prediction.reason, prediction.label) == ("NEEDS_REVIEW", "header", "NORMAL")
    assert "45" not in json.dumps(prediction.to_dict()["reason"])


def test_the_header_comes_before_the_pixels(classifier: Classifier) -> None:
    prediction = classifier.predict(dicom_film(STRANGE, Modality="CT"))
    assert (prediction.in_domain, prediction.reason) == (False, "header")


def test_a_model_without_a_population_checks_neither_age_nor_view(tmp_path: Path) -> None:
    classifier = Classifier(write_model(tmp_path / "m.onnx", {**METADATA, "domain_limit": "20"}), device="cpu")
    assert classifier.predict(dicom_film(CERTAIN, PatientAge="045Y", ViewPosition="LL")).reason is None
    assert classifier.predict(dicom_film(CERTAIN, Modality="MR")).reason == "header"
