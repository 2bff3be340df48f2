"""Tiny models that follow the contract, to be broken one entry at a time. Their logit is the mean grey less 128."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pneumo_infer.films.preprocess import PREPROCESS

POINT = {
    "threshold": 0.5,
    "sensitivity": 0.9,
    "specificity": 0.8,
    "intervals": {"sensitivity": [0.85, 0.95], "specificity": [0.7, 0.9]},
    "chosen_on": "validation",
}
METADATA = {
    "schema": "1",
    "labels": '["NORMAL", "PNEUMONIA"]',
    "operating_points": json.dumps({"balanced": POINT, "screening": {**POINT, "threshold": 0.1}}),
    "default_operating_point": "balanced",
    "domain_limit": "200.0",
    "preprocess": PREPROCESS,
    "calibration": "{}",
    "metrics": "{}",
    "data": "{}",
    "source_sha256": "0" * 64,
    "version": "0",
    "licence": "Apache-2.0",
    "intended_use": "tests",
}


def write_model(
    path: Path,
    metadata: dict[str, str],
    *,
    shape: Sequence[str | int] = ("N", 224, 224, 1),
    outputs: Sequence[str] = ("probability", "logit", "heatmap", "domain_distance"),
    heatmap_side: int = 7,
) -> Path:
    """Write a model that answers with the brightness of a film, of its parts, and how far that is from 128."""
    cell = 224 // heatmap_side
    shapes: dict[str, list[str | int]] = {"heatmap": ["N", heatmap_side, heatmap_side]}
    nodes = [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["grey", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "middle"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
        helper.make_node("Abs", ["logit"], ["domain_distance"]),
        helper.make_node("Reshape", ["grey", "one_channel"], ["channel_first"]),
        helper.make_node("AveragePool", ["channel_first"], ["pooled"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Squeeze", ["pooled", "channel"], ["heatmap"]),
    ]
    initializers = [
        numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes"),
        numpy_helper.from_array(np.array(128, np.float32), "middle"),
        numpy_helper.from_array(np.array([-1, 1, 224, 224], np.int64), "one_channel"),
        numpy_helper.from_array(np.array([1], np.int64), "channel"),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes.get(name, ["N"])) for name in outputs],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {f"pneumo.{key}": value for key, value in metadata.items()})
    onnx.save(model, path)
    return path
