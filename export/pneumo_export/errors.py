"""The errors of pneumo-export."""

from __future__ import annotations

from pneumo_infer.errors import PneumoError


class ExportError(PneumoError, ValueError):
    """The model or the films cannot be exported or checked, or the output folder cannot be written."""


class GraphError(PneumoError, ValueError):
    """An ONNX file breaks the contract, or was made from another Keras model."""

    exit_code = 1


class ParityError(PneumoError, ValueError):
    """The outputs of an ONNX file differ from those of its Keras model by more than the limits allow."""

    exit_code = 1
