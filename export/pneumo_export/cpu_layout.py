"""The same sums in an order that a processor is quicker at."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Shape = list[int | str]


def arrange_for_cpu(proto: onnx.ModelProto) -> None:
    """Rearrange what onnxruntime's CPU kernels are slow at.

    That is a convolution of one channel, zeros put around what a pool could pad, and means of single columns.
    `python -m benchmarks.int8_search` measures it.
    """
    shapes = _shapes(proto)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    _convolve_quarters(proto.graph, shapes, constants)
    _pad_within_pools(proto.graph, constants)
    _widen_means(proto.graph, shapes, constants)
    _drop_unread(proto.graph)


def _convolve_quarters(
    graph: onnx.GraphProto, shapes: Mapping[str, Shape], constants: Mapping[str, NDArray[np.generic]]
) -> None:
    """Turn the first convolution, if it strides by 2 over one channel, into one that strides by 1 over four.

    Each block of 2x2 pixels becomes one place with four channels, so that a kernel gathers its inputs by four at once.
    The kernel grows by rows and columns of zeros where it does not begin or end with a block.
    """
    convolution = next((node for node in graph.node if node.op_type == "Conv"), None)
    if convolution is None or convolution.input[1] not in constants:
        return
    weights = constants[convolution.input[1]]
    settings = {entry.name: helper.get_attribute_value(entry) for entry in convolution.attribute}
    pads = settings.get("pads", [0, 0, 0, 0])
    sides = shapes.get(convolution.input[0], [])[2:]
    strided = settings.get("strides") == [2, 2] and settings.get("dilations", [1, 1]) == [1, 1]
    one_channel = weights.shape[1] == 1 and settings.get("group", 1) == 1  # and no convolution channel by channel
    padded_evenly = len(set(pads)) == 1 and settings.get("auto_pad", b"NOTSET") == b"NOTSET"
    square = len(sides) == 2 and len(set(weights.shape[2:])) == 1
    even = all(isinstance(side, int) and side > 0 and side % 2 == 0 for side in sides)
    if not (strided and one_channel and padded_evenly and square and even):
        return
    pad, size, side = pads[0], weights.shape[2], int(sides[0])
    places = (side + 2 * pad - size) // 2 + 1
    blocks = math.ceil((pad % 2 + size) / 2)
    before = math.ceil(pad / 2)
    after = places - side // 2 - before + blocks - 1
    name = f"{convolution.input[0]}.quarters"
    _in_blocks(graph, convolution.input[1], weights, pad % 2, blocks)
    spread = helper.make_node("SpaceToDepth", [convolution.input[0]], [name], name=name, blocksize=2)
    graph.node.insert(list(graph.node).index(convolution), spread)
    convolution.input[0] = name
    settings |= {"kernel_shape": [blocks] * 2, "strides": [1, 1], "pads": [before, before, after, after]}
    del convolution.attribute[:]
    convolution.attribute.extend(helper.make_attribute(key, value) for key, value in settings.items())


def _in_blocks(graph: onnx.GraphProto, name: str, weights: NDArray[np.generic], first: int, blocks: int) -> None:
    """Write a kernel (O, 1, k, k) as (O, 4, blocks, blocks), in the order of SpaceToDepth's channels."""
    count, _, size, _ = weights.shape
    whole = np.zeros((count, 2 * blocks, 2 * blocks), weights.dtype)
    whole[:, first : first + size, first : first + size] = weights[:, 0]
    quarters = whole.reshape(count, blocks, 2, blocks, 2).transpose(0, 2, 4, 1, 3).reshape(count, 4, blocks, blocks)
    tensor = next(tensor for tensor in graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(quarters), name))


def _pad_within_pools(graph: onnx.GraphProto, constants: Mapping[str, NDArray[np.generic]]) -> None:
    """Let a pool that looks for the largest pad by itself, where zeros stand around what is never below zero.

    onnxruntime did so up to its version 1.31.
    """
    producers = {name: node for node in graph.node for name in node.output}
    for pool in graph.node:
        pad = producers.get(pool.input[0]) if pool.op_type == "MaxPool" else None
        if pad is None or pad.op_type != "Pad" or len(pad.input) != 2 or pad.input[1] not in constants:
            continue  # with more inputs it may pad with another number than 0, or other axes
        activation = producers.get(pad.input[0])
        settings = {entry.name: helper.get_attribute_value(entry) for entry in pool.attribute}
        before, after = np.split(constants[pad.input[1]].astype(int), 2)
        around = [*before[2:].tolist(), *after[2:].tolist()]
        sides = settings["kernel_shape"] * 2
        never_below_zero = activation is not None and activation.op_type == "Relu"
        with_zeros = all(entry.s == b"constant" for entry in pad.attribute)
        each_window_meets_an_input = all(0 <= zeros < side for zeros, side in zip(around, sides, strict=True))
        pads_none_yet = settings.keys() <= {"kernel_shape", "strides"} and not any((*before[:2], *after[:2]))
        if never_below_zero and with_zeros and each_window_meets_an_input and pads_none_yet:
            pool.input[0] = pad.input[0]
            pool.attribute.append(helper.make_attribute("pads", around))


def _widen_means(
    graph: onnx.GraphProto, shapes: Mapping[str, Shape], constants: Mapping[str, NDArray[np.generic]]
) -> None:
    """Let a mean along an axis take the axes of one element behind it, too: adjacent numbers are added up faster."""
    for node in graph.node:
        shape = shapes.get(node.input[0], []) if node.op_type == "ReduceMean" else []
        if not shape or len(node.input) < 2 or node.input[1] not in constants:
            continue
        if not any(entry.name == "keepdims" and entry.i == 1 for entry in node.attribute):
            continue
        axes = [int(axis) for axis in constants[node.input[1]]]
        behind = list(range(max(axes) + 1, len(shape)))
        if behind and min(axes) > 0 and all(shape[axis] == 1 for axis in behind):
            name = f"{node.name}.axes"
            graph.initializer.append(numpy_helper.from_array(np.array(axes + behind, np.int64), name))
            node.input[1] = name


def _drop_unread(graph: onnx.GraphProto) -> None:
    """Forget the paddings and the constants that nothing reads any more."""
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for node in [node for node in graph.node if node.op_type == "Pad" and node.output[0] not in read]:
        graph.node.remove(node)
    read = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)


def _shapes(proto: onnx.ModelProto) -> dict[str, Shape]:
    graph = onnx.shape_inference.infer_shapes(proto).graph
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info)
    }
