"""The metadata of an exported file."""

from __future__ import annotations

import json

import onnx_ir as ir

from pneumo_infer import __version__
from pneumo_infer.drift.reference import Reference
from pneumo_infer.films.preprocess import PREPROCESS
from pneumo_infer.model.contract import SCHEMA
from pneumo_train.model.file_description import FileDescription
from pneumo_train.model.trained import TrainedModel

INTENDED_USE = (
    "Research and decision support on frontal chest films of children aged one to five. Not a cleared medical device: "
    "a qualified reader decides."
)


def add_metadata(
    model: ir.Model, source: TrainedModel, precision: str, domain_limit: float, reference: Reference
) -> None:
    """Write the contract's `pneumo.*` entries and the rest of the model's description into a graph.

    Parameters
    ----------
    domain_limit, reference
        Measured with this file, since its distances differ from those of the Keras model.
    """
    described = source.description.model_dump(mode="json", include=set(FileDescription.model_fields), exclude_none=True)
    entries = {
        **{key: value if isinstance(value, str) else json.dumps(value) for key, value in described.items()},
        "schema": SCHEMA,
        "precision": precision,
        "domain_limit": json.dumps(domain_limit),
        "reference": json.dumps(reference.to_dict()),
        "preprocess": PREPROCESS,
        "source_sha256": source.sha256,
        "version": __version__,
        "licence": source.description.weights.licence,
        "intended_use": INTENDED_USE,
    }
    model.metadata_props.clear()
    model.metadata_props.update({f"pneumo.{key}": value for key, value in entries.items()})
    model.producer_name, model.producer_version = "pneumo-export", __version__
