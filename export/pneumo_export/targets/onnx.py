"""ONNX files for onnxruntime, and what proves and describes them."""

from __future__ import annotations

from pneumo_export.pipeline import export_onnx

FOLDER = "export"
export = export_onnx
