"""ONNX files for onnxruntime, with their parity report, metrics and model card."""

from __future__ import annotations

from pneumo_export.pipeline import export_onnx

FOLDER = "export"
export = export_onnx
