"""The content of the structured report: a measurement report with one finding (PS3.16 TID 1500 and 1501)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes

from pneumo_infer import __version__
from pneumo_infer.prediction import HEADER, NEEDS_REVIEW, OUT_OF_DOMAIN, UNCERTAIN
from pneumo_infer.serve.dicom.identity import MANUFACTURER, MODEL_NAME, NOTICE, derived_uid

if TYPE_CHECKING:
    from pydicom import Dataset

    from pneumo_infer.prediction import Prediction

SCHEME = "99PNEUMO"
CODING_SCHEME = CodingSchemeIdentificationItem(SCHEME, name="pneumo-infer", responsible_organization=MANUFACTURER)
CHEST_RADIOGRAPH = CodedConcept("399208008", "SCT", "Plain X-ray of chest")
PNEUMONIA = CodedConcept("233604007", "SCT", "Pneumonia")
MEANINGS = {
    "outcome": "Outcome",
    "reason": "Reason for review",
    "NORMAL": "Normal",
    "PNEUMONIA": "Pneumonia",
    NEEDS_REVIEW: "Needs review by a qualified reader",
    HEADER: "The header contradicts the model's population",
    OUT_OF_DOMAIN: "Unlike the films that the model was trained on",
    UNCERTAIN: "The probability is in the model's uncertain band",
}


def report_content(source: Dataset, prediction: Prediction) -> MeasurementReport:
    """Write down what a model says of a film.

    Parameters
    ----------
    source
        The film's header.
    prediction
        The answer, which has no error.
    """
    sha256 = str(prediction.model_sha256)
    observer = DeviceObserverIdentifyingAttributes(
        uid=derived_uid("device", sha256),
        name=MODEL_NAME,
        manufacturer_name=MANUFACTURER,
        model_name=prediction.model,
        serial_number=sha256,
    )
    return MeasurementReport(
        observation_context=ObservationContext(ObserverContext(codes.DCM.Device, observer)),
        procedure_reported=CHEST_RADIOGRAPH,
        imaging_measurements=[_finding(source, prediction, sha256)],
        title=codes.DCM.ImagingMeasurementReport,
    )


def _finding(source: Dataset, prediction: Prediction, sha256: str) -> MeasurementsAndQualitativeEvaluations:
    evaluations = {"outcome": prediction.outcome, "reason": prediction.reason}
    finding = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=derived_uid("finding", source.SOPInstanceUID, sha256), identifier="Pneumonia on this film"
        ),
        finding_type=PNEUMONIA,
        finding_sites=[FindingSite(codes.SCT.Lung)],
        algorithm_id=AlgorithmIdentification(
            name=MANUFACTURER,
            version=__version__,
            parameters=[f"model {prediction.model}", f"SHA-256 of the model {sha256}", *_operating_point(prediction)],
        ),
        measurements=[
            _number(codes.DCM.Probability, prediction.probability),
            _number(codes.DCM.ThresholdValue, prediction.threshold),
        ],
        qualitative_evaluations=[
            QualitativeEvaluation(_concept(name), _concept(value)) for name, value in evaluations.items() if value
        ],
        source_images=[SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID)],
    )
    finding[0].ContentSequence.append(
        TextContentItem(codes.DCM.Comment, NOTICE, relationship_type=RelationshipTypeValues.CONTAINS)
    )
    return finding


def _operating_point(prediction: Prediction) -> list[str]:
    return [f"operating point {prediction.operating_point}"] if prediction.operating_point else []


def _number(name: CodedConcept, value: float | None) -> Measurement:
    assert value is not None  # in every prediction without an error
    return Measurement(name, round(value, 6), codes.UCUM.NoUnits)


def _concept(value: str) -> CodedConcept:
    return CodedConcept(value, SCHEME, MEANINGS[value])
