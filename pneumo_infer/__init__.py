"""pneumo-infer: classifies chest X-ray films as NORMAL or PNEUMONIA."""

from __future__ import annotations

__version__ = "0.2.0.dev0"

TYPE_CHECKING = False  # as type checkers understand it; the module typing takes long to import
if TYPE_CHECKING:
    from typing import Any

    from pneumo_infer.classifier import Classifier
    from pneumo_infer.errors import DeviceError, ImageError, MissingExtraError, ModelError, PneumoError
    from pneumo_infer.limits import Limits
    from pneumo_infer.model.info import ModelInfo, OperatingPoint
    from pneumo_infer.prediction import Prediction

_MODULES = {
    "Classifier": "classifier",
    "DeviceError": "errors",
    "ImageError": "errors",
    "Limits": "limits",
    "MissingExtraError": "errors",
    "ModelInfo": "model.info",
    "ModelError": "errors",
    "OperatingPoint": "model.info",
    "PneumoError": "errors",
    "Prediction": "prediction",
}
__all__ = [
    "Classifier",
    "DeviceError",
    "ImageError",
    "Limits",
    "MissingExtraError",
    "ModelError",
    "ModelInfo",
    "OperatingPoint",
    "PneumoError",
    "Prediction",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # Lazy imports (PEP 562) keep `pneumo-infer --help` fast: it loads neither numpy nor onnxruntime.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"pneumo_infer.{_MODULES[name]}"), name)
