"""Describe the installation, for users and bug reports."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pneumo_infer.cpu_count import cpu_count
from pneumo_infer.model.session import load_onnxruntime
from pneumo_infer.printable import printable

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier
    from pneumo_infer.model.info import ModelInfo


def describe(classifier: Classifier) -> dict[str, Any]:
    """Return versions, device and model as one JSON-serialisable object."""
    onnxruntime = load_onnxruntime()
    return {
        "pneumo-infer": version("pneumo-infer"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "onnxruntime": onnxruntime.__version__,
        "providers built in": onnxruntime.get_available_providers(),
        "providers that came up": classifier.providers,
        "device": classifier.device,
        "processors": cpu_count(),
        "threads": classifier.threads,
        "numpy": version("numpy"),
        "pillow": version("pillow"),
        "pydicom": _version("pydicom"),
        "model": str(classifier.model.path),
        **describe_model(classifier.model),
    }


def describe_model(model: ModelInfo) -> dict[str, Any]:
    """Return what is known about a model, but for the path of its file, as one JSON-serialisable object."""
    return {
        "model sha256": model.sha256,
        "model provenance": model.provenance.value,
        "precision": model.metadata.get("precision"),
        "keras sha256": model.metadata["source_sha256"],
        "model version": model.metadata["version"],
        "schema": model.metadata["schema"],
        "operating points": json.loads(model.metadata["operating_points"]),
        "default operating point": model.default_operating_point,
        "domain limit": model.domain_limit,
        "uncertain band": model.uncertain_band and list(model.uncertain_band),
        "calibration": json.loads(model.metadata["calibration"]),
        "metrics": json.loads(model.metadata["metrics"]),
        "data": json.loads(model.metadata["data"]),
        "licence": model.metadata["licence"],
        "intended use": model.metadata["intended_use"],
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def as_text(description: dict[str, Any]) -> str:
    """Format a description as lines, with nested objects indented."""
    return "\n".join(map(printable, _lines(description, indent=0)))


def _lines(description: dict[str, Any], indent: int) -> list[str]:
    lines: list[str] = []
    for name, value in description.items():
        lead = f"{'  ' * indent}{name}:"
        if isinstance(value, dict):
            lines += [lead, *_lines(value, indent + 1)]
        elif isinstance(value, list):
            lines.append(f"{lead} {', '.join(_format_value(entry) for entry in value)}")
        else:
            lines.append(f"{lead} {_format_value(value)}")
    return lines


def _format_value(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "none" if value is None else str(value)
