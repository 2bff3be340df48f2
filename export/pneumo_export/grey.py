"""One grey channel instead of three equal ones: the first convolution adds up the weights of its channels."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx

from pneumo_export.edits import Constants, constants_of, set_constant


def fold_equal_channels(proto: onnx.ModelProto) -> None:
    """Give the first convolution one channel where the graph makes several equal ones of a grey film.

    A convolution is linear: over equal channels, each with its own scale, it is a convolution of one channel by the
    scaled sum of their weights. A graph that adds an offset to its channels is left as it is, since what a convolution
    pads with has no offset.
    """
    graph = proto.graph
    constants = constants_of(graph)
    repeats = (node for node in graph.node if node.op_type == "Concat" and 1 == len(set(node.input)) < len(node.input))
    repeat = next(repeats, None)
    path = _path_to_convolution(graph, repeat, constants) if repeat else None
    if repeat is None or path is None or constants[path[-1].input[1]].shape[1] != len(repeat.input):
        return
    *before, convolution = path
    scale = np.ones(len(repeat.input))
    source: dict[str, str] = {}  # of what a node that goes away gave
    for node in before:
        node.input[0] = source.get(node.input[0], node.input[0])
        if node.op_type == "Mul":
            scale = scale * constants[node.input[1]].ravel()
        if node.op_type in ("Concat", "Mul", "Add"):
            source[node.output[0]] = node.input[0]
            graph.node.remove(node)
    convolution.input[0] = source.get(convolution.input[0], convolution.input[0])
    weights = convolution.input[1]
    summed = np.einsum("oihw,i->ohw", constants[weights].astype(np.float64), scale)[:, None]
    set_constant(graph, weights, summed.astype(np.float32))


def _path_to_convolution(
    graph: onnx.GraphProto, start: onnx.NodeProto, constants: Constants
) -> list[onnx.NodeProto] | None:
    """The nodes from one to the convolution behind it; None where one of them mixes channels or has a branch."""
    takers = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            takers[name].append(node)
    path = [start]
    while path[-1].op_type != "Conv":
        taking = takers[path[-1].output[0]]
        if len(taking) != 1 or not _only_scales(taking[0], len(start.input), constants):
            return None
        path += taking
    return path


def _only_scales(node: onnx.NodeProto, channels: int, constants: Constants) -> bool:
    if node.op_type in ("Mul", "Add"):
        operand = constants.get(node.input[1])
        if operand is None or operand.size not in (1, channels):
            return False
        return node.op_type == "Mul" or not operand.any()
    return node.op_type in ("Pad", "Transpose", "Conv")
