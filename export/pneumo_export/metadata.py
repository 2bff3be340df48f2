"""What a model file says of itself."""

from __future__ import annotations

import json

import onnx

from pneumo_infer import __version__
from pneumo_infer.drift.reference import Reference
from pneumo_infer.films.preprocess import PREPROCESS
from pneumo_infer.model.info import SCHEMA
from pneumo_train.model.trained import TrainedModel

INTENDED_USE = (
    "Research and decision support on frontal chest films of children aged one to five. Not a cleared medical device: "
    "a qualified reader decides."
)


def add_metadata(
    proto: onnx.ModelProto, source: TrainedModel, precision: str, domain_limit: float, reference: Reference
) -> None:
    """Write the contract's `pneumo.*` entries; `precision`, `weights`, `ood`, `uncertain_band` beside them.

    `domain_limit` and `reference` are the file's own.
    """
    described = source.description
    entries = {
        "schema": SCHEMA,
        "precision": precision,
        "labels": json.dumps(described["labels"]),
        "operating_points": json.dumps(described["operating_points"]),
        "default_operating_point": described["default_operating_point"],
        "domain_limit": json.dumps(domain_limit),
        "reference": json.dumps(reference.to_dict()),
        "ood": json.dumps(described["ood"]),
        "preprocess": PREPROCESS,
        "uncertain_band": json.dumps(described["uncertain_band"]),
        "calibration": json.dumps(described["calibration"]),
        "metrics": json.dumps(described["metrics"]),
        "data": json.dumps(described["data"]),
        "weights": json.dumps(described["weights"]),
        "source_sha256": source.sha256,
        "version": __version__,
        "licence": described["weights"]["licence"],
        "intended_use": INTENDED_USE,
    }
    onnx.helper.set_model_props(proto, {f"pneumo.{key}": value for key, value in entries.items()})
    proto.producer_name, proto.producer_version = "pneumo-export", __version__
