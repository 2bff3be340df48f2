"""What the last maps are made into, in fewer steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from pneumo_export.edits import (
    Constants,
    Shape,
    constants_of,
    drop_unread,
    insert_before,
    producers_of,
    set_constant,
    settings_of,
    shapes_of,
)


def ask_each_place(graph: onnx.GraphProto, shapes: Mapping[str, Shape], constants: Constants) -> None:
    """Ask a head of one dense layer at each place of the maps (channels last), and take the mean of what it says.

    That mean is the logit, as before; what it says at each place is Grad-CAM before it is rectified (Selvaraju et al.,
    "Grad-CAM", ICCV 2017, section 3.1), for which the graph else works out the head's gradient for each film.
    """
    producers = producers_of(graph)
    logit, heatmap = producers.get("logit"), producers.get("heatmap")
    bias = producers.get(logit.input[0]) if logit else None
    head = producers.get(bias.input[0]) if bias else None
    mean = producers.get(head.input[0]) if head else None
    if heatmap is None or head is None or mean is None or (head.op_type, mean.op_type) != ("MatMul", "ReduceMean"):
        return
    maps = shapes.get(mean.input[0], [])
    one_logit = head.input[1] in constants and constants[head.input[1]].shape[1:] == (1,)
    over_places = len(mean.input) == 2 and constants[mean.input[1]].tolist() == [1, 2]
    places = [side for side in maps[1:3] if isinstance(side, int) and side > 0]
    if not one_logit or not over_places or settings_of(mean).get("keepdims", 1) or len(places) != 2:
        return
    evidence, whole, axes = f"{head.name}.evidence", head.output[0], mean.input[1]
    share = set_constant(graph, f"{head.name}.share", np.array([1 / math.prod(places)], np.float32))
    last = set_constant(graph, f"{head.name}.last", np.array([3], np.int64))
    insert_before(
        graph,
        head,
        helper.make_node("MatMul", [mean.input[0], head.input[1]], [evidence], name=evidence),
        helper.make_node("ReduceMean", [evidence, axes], [whole], name=head.name, keepdims=0),
    )
    graph.node.remove(head)
    insert_before(
        graph,
        heatmap,
        helper.make_node("Squeeze", [evidence, last], [f"{evidence}.map"], name=f"{evidence}.map"),
        helper.make_node("Mul", [f"{evidence}.map", share], [f"{evidence}.share"], name=f"{evidence}.share"),
    )
    heatmap.input[0] = f"{evidence}.share"


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
