"""Means of quantised maps, added up as integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from pneumo_export.rewrites.edits import (
    constants_of,
    drop_unread,
    insert_before,
    producers_of,
    set_constant,
    settings_of,
    shapes_of,
)


def add_up_integers(proto: onnx.ModelProto) -> None:
    """Take the means of quantised maps over their places without turning each number into a float first."""
    graph = proto.graph
    constants, producers, shapes = constants_of(graph), producers_of(graph), shapes_of(proto)
    for mean in [node for node in graph.node if node.op_type == "ReduceMean" and len(node.input) == 2]:
        floats = producers.get(mean.input[0])
        shape = shapes.get(mean.input[0], [])
        if floats is None or floats.op_type != "DequantizeLinear" or len(shape) != 4:
            continue
        scale, known = constants[floats.input[1]], all(isinstance(side, int) and side > 0 for side in shape[1:])
        over_places = constants[mean.input[1]].tolist() == [2, 3] and not settings_of(mean).get("keepdims", 1)
        if scale.ndim == 0 and known and over_places:
            _replace_by_sums(graph, mean, floats, [int(side) for side in shape[1:]], scale)
    drop_unread(graph)


def _replace_by_sums(
    graph: onnx.GraphProto, mean: onnx.NodeProto, floats: onnx.NodeProto, sides: list[int], scale: NDArray[np.float32]
) -> None:
    """Write a mean as a row of ones times a matrix of integers, which onnxruntime has a fast kernel for."""
    channels, places = sides[0], sides[1] * sides[2]
    name = mean.name
    integers, zero = floats.input[0], floats.input[2]
    rows = set_constant(graph, f"{name}.rows", np.array([0, places, channels], np.int64))
    ones = set_constant(graph, f"{name}.ones", np.ones((1, places), np.uint8))
    nothing = set_constant(graph, f"{name}.nothing", np.array([0], np.uint8))
    row = set_constant(graph, f"{name}.row", np.array([1], np.int64))
    step = set_constant(graph, f"{name}.step", np.array([scale / places], np.float32))
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("Transpose", [integers], {"perm": [0, 2, 3, 1]}),  # as the convolutions leave them in memory
        ("Reshape", ["Transpose", rows], {}),
        ("MatMulInteger", [ones, "Reshape", nothing, zero], {}),
        ("Squeeze", ["MatMulInteger", row], {}),
        ("Cast", ["Squeeze"], {"to": TensorProto.FLOAT}),
    ]
    operators = {operator for operator, _, _ in steps}
    nodes = [
        helper.make_node(
            operator,
            [f"{name}.{taken}" if taken in operators else taken for taken in inputs],
            [f"{name}.{operator}"],
            name=f"{name}.{operator}",
            **settings,
        )
        for operator, inputs, settings in steps
    ]
    insert_before(graph, mean, *nodes, helper.make_node("Mul", [f"{name}.Cast", step], mean.output, name=name))
    graph.node.remove(mean)
