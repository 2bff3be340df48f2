"""Check an open model against the contract of schema 1 (docs/how-it-works.md), and describe it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pneumo_infer.errors import ModelError, excerpt
from pneumo_infer.films.dicom.header import Population
from pneumo_infer.films.preprocess import PREPROCESS
from pneumo_infer.model.checksum import Provenance
from pneumo_infer.model.info import EXPORT_AGAIN, HEATMAP_SIDES, LABELS, OUTPUTS, ModelInfo, OperatingPoint
from pneumo_infer.model.metadata import Entry
from pneumo_infer.model.session import OpenModel

PREFIX = "pneumo."
SCHEMA = "1"
METADATA_KEYS = (
    "schema",
    "labels",
    "operating_points",
    "default_operating_point",
    "domain_limit",
    "preprocess",
    "calibration",
    "metrics",
    "data",
    "source_sha256",
    "version",
    "licence",
    "intended_use",
)
OBJECTS = ("calibration", "metrics", "data", "population", "reference", "weights", "ood", "uncertain_band")
JSON_ENTRIES = frozenset({"labels", "operating_points", "domain_limit", "preprocess", *OBJECTS})
OLDEST = 150.0  # years
SHA256 = re.compile("[0-9a-f]{64}", re.IGNORECASE)

Signature = Mapping[str, tuple[str, list[Any]]]  # name to type, as onnxruntime spells it, and shape


def describe(opened: OpenModel) -> ModelInfo:
    """Check a model against the contract and return its metadata.

    A model that is not one of this version's own is also run on two films.

    Raises
    ------
    ModelError
        The model has another schema, inputs, outputs or preprocessing, or its metadata or outputs are impossible.
    """
    name, session = opened.path.name, opened.session
    try:
        inputs = {entry.name: (entry.type, entry.shape) for entry in session.get_inputs()}
        outputs = {entry.name: (entry.type, entry.shape) for entry in session.get_outputs()}
        metadata = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise ModelError(name, f"has names or metadata that are not UTF-8 ({error})", EXPORT_AGAIN) from error
    entries = {key.removeprefix(PREFIX): value for key, value in metadata.items() if key.startswith(PREFIX)}
    _check_schema(name, entries)
    _check_signature(name, inputs, outputs)
    model = _parse(opened, outputs["heatmap"][1][-1], entries)
    if opened.provenance is not Provenance.RELEASED:
        from pneumo_infer.model.trial import try_out

        try_out(session, model)
    return model


def _check_schema(name: str, entries: Mapping[str, str]) -> None:
    if "schema" not in entries:
        raise ModelError(
            name, "not a pneumo-infer model (no pneumo.schema in its metadata)", "export it with pneumo-export"
        )
    if entries["schema"] != SCHEMA:
        raise ModelError(
            name,
            f"has schema {excerpt(entries['schema'])}, but this version supports schema {SCHEMA}",
            "install a matching version of pneumo-infer",
        )
    missing = [key for key in METADATA_KEYS if key not in entries]
    if missing:
        names = ", ".join(f"{PREFIX}{key}" for key in missing)
        raise ModelError(name, f"missing metadata {names}", EXPORT_AGAIN)
    if entries["preprocess"] != PREPROCESS:
        raise ModelError(
            name,
            f"expects preprocessing {excerpt(entries['preprocess'])}, but this version applies {PREPROCESS}",
            "install the version of pneumo-infer that exported it",
        )


def _check_signature(name: str, inputs: Signature, outputs: Signature) -> None:
    kind, shape = inputs.get("image", ("", []))
    if len(inputs) != 1 or kind != "tensor(uint8)" or shape[1:] != [224, 224, 1] or isinstance(shape[0], int):
        described = excerpt(str(dict(inputs)))
        raise ModelError(
            name, f"has inputs {described}, expected one uint8 input, image [N, 224, 224, 1]", EXPORT_AGAIN
        )
    for output in OUTPUTS:
        kind, shape = outputs.get(output, ("", []))
        if kind != "tensor(float)":
            raise ModelError(name, f"has no float32 output {output!r}", EXPORT_AGAIN)
        if output != "heatmap" and (len(shape) != 1 or isinstance(shape[0], int)):
            described = excerpt(str(shape))
            raise ModelError(name, f"has an output {output!r} of shape {described}, expected [N]", EXPORT_AGAIN)
    _, heatmap = outputs["heatmap"]
    if len(heatmap) != 3 or heatmap[1] != heatmap[2] or heatmap[1] not in HEATMAP_SIDES:
        sides = f"{HEATMAP_SIDES[0]} to {HEATMAP_SIDES[-1]}"
        described = excerpt(str(heatmap))
        raise ModelError(
            name, f"has heatmaps of shape {described}, expected [N, S, S] with S from {sides}", EXPORT_AGAIN
        )


def _parse(opened: OpenModel, heatmap_side: int, entries: Mapping[str, str]) -> ModelInfo:
    name = opened.path.name
    values = {
        key: Entry.parse(name, PREFIX + key, value) if key in JSON_ENTRIES else Entry(name, PREFIX + key, value)
        for key, value in entries.items()
    }
    for key, entry in values.items():
        if key in OBJECTS:
            entry.members()
        elif key not in JSON_ENTRIES:
            entry.text()
    if not SHA256.fullmatch(entries["source_sha256"]):
        values["source_sha256"].refuse("is not a SHA-256 digest")
    if tuple(label.text() for label in values["labels"].elements()) != LABELS:
        values["labels"].refuse(f"is {excerpt(entries['labels'])}, expected {list(LABELS)}")
    band, population = values.get("uncertain_band"), values.get("population")
    model = ModelInfo(
        path=opened.path,
        sha256=opened.sha256,
        provenance=opened.provenance,
        heatmap_side=heatmap_side,
        operating_points={
            point: _operating_point(point, entry) for point, entry in values["operating_points"].members().items()
        },
        default_operating_point=entries["default_operating_point"],
        domain_limit=values["domain_limit"].number(low=0.0),
        uncertain_band=_band(band) if band else None,
        population=_population(population) if population else None,
        metadata=entries,
    )
    model.operating_point()
    return model


def _operating_point(name: str, entry: Entry) -> OperatingPoint:
    intervals = entry["intervals"]
    return OperatingPoint(
        name=name,
        threshold=entry["threshold"].number(0.0, 1.0),
        sensitivity=entry["sensitivity"].number(0.0, 1.0),
        specificity=entry["specificity"].number(0.0, 1.0),
        sensitivity_interval=intervals["sensitivity"].pair(0.0, 1.0),
        specificity_interval=intervals["specificity"].pair(0.0, 1.0),
        chosen_on=entry["chosen_on"].text(),
    )


def _band(entry: Entry) -> tuple[float, float]:
    low, high = entry["low"].number(0.0, 1.0), entry["high"].number(0.0, 1.0)
    if low > high:
        entry.refuse("has a lower bound above its upper bound")
    return low, high


def _population(entry: Entry) -> Population:
    return Population(entry["age_years"].pair(0.0, OLDEST), tuple(view.text() for view in entry["views"].elements()))
