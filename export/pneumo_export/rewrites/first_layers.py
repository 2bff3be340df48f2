"""A film's way to the maps of the first convolution, in an order that a processor is quicker at."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper

from pneumo_export.rewrites.edits import (
    Constants,
    Shape,
    change_settings,
    insert_before,
    producers_of,
    read_once,
    set_constant,
    settings_of,
)


def pad_within_convolution(graph: onnx.GraphProto, constants: Constants) -> None:
    """Let the first convolution pad by itself where zeros are put around a film, channels last, before it."""
    producers = producers_of(graph)
    convolution = next((node for node in graph.node if node.op_type == "Conv"), None)
    order = producers.get(convolution.input[0]) if convolution else None
    pad = producers.get(order.input[0]) if order else None
    if convolution is None or order is None or pad is None or (order.op_type, pad.op_type) != ("Transpose", "Pad"):
        return
    settings = settings_of(convolution)
    zeros = _zeros(pad, constants)
    alone = all(read_once(graph, node.output[0]) for node in (order, pad))
    by_itself = settings.get("auto_pad", b"NOTSET") == b"NOTSET"
    if zeros is None or not alone or not by_itself or settings_of(order).get("perm") != [0, 3, 1, 2]:
        return
    (films, top, left, channels), (films_after, bottom, right, channels_after) = zeros
    if any((films, channels, films_after, channels_after)) or min(top, left, bottom, right) < 0:
        return
    order.input[0] = pad.input[0]
    around = np.add(settings.get("pads", [0, 0, 0, 0]), [top, left, bottom, right])
    change_settings(convolution, pads=around.tolist())


def reshape_single_channels(graph: onnx.GraphProto, shapes: Mapping[str, Shape]) -> None:
    """Where a transposition only moves axes of one element, nothing has to be moved in memory."""
    for order in list(graph.node):
        shape = shapes.get(order.input[0], []) if order.op_type == "Transpose" else []
        if not shape or any(not isinstance(side, int) or side < 1 for side in shape[1:]):
            continue
        to = list(settings_of(order).get("perm", reversed(range(len(shape)))))
        moved = [axis for axis in to if shape[axis] != 1]
        if to[0] == 0 and moved == sorted(moved):
            sides = set_constant(graph, f"{order.name}.sides", np.array([-1, *(shape[axis] for axis in to[1:])]))
            insert_before(
                graph, order, helper.make_node("Reshape", [order.input[0], sides], order.output, name=order.name)
            )
            graph.node.remove(order)


def convolve_quarters(graph: onnx.GraphProto, shapes: Mapping[str, Shape], constants: Constants) -> None:
    """Turn the first convolution, if it strides by 2 over one channel, into one that strides by 1 over four.

    Each block of 2x2 pixels becomes one place with four channels, so that a kernel gathers its inputs by four at once.
    The kernel grows by rows and columns of zeros where it does not begin or end with a block.
    """
    convolution = next((node for node in graph.node if node.op_type == "Conv"), None)
    if convolution is None or convolution.input[1] not in constants:
        return
    weights = constants[convolution.input[1]]
    settings = settings_of(convolution)
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
    _in_blocks(graph, convolution.input[1], constants, pad % 2, blocks)
    insert_before(
        graph, convolution, helper.make_node("SpaceToDepth", [convolution.input[0]], [name], name=name, blocksize=2)
    )
    convolution.input[0] = name
    change_settings(convolution, kernel_shape=[blocks] * 2, strides=[1, 1], pads=[before, before, after, after])


def _in_blocks(graph: onnx.GraphProto, name: str, constants: Constants, first: int, blocks: int) -> None:
    """Write a kernel (O, 1, k, k) as (O, 4, blocks, blocks), in the order of SpaceToDepth's channels."""
    weights = constants[name]
    count, _, size, _ = weights.shape
    whole = np.zeros((count, 2 * blocks, 2 * blocks), weights.dtype)
    whole[:, first : first + size, first : first + size] = weights[:, 0]
    quarters = whole.reshape(count, blocks, 2, blocks, 2).transpose(0, 2, 4, 1, 3).reshape(count, 4, blocks, blocks)
    set_constant(graph, name, quarters)


def pad_within_pools(graph: onnx.GraphProto, constants: Constants) -> None:
    """Let a pool that looks for the largest pad by itself, where zeros stand around what is never below zero.

    onnxruntime did so up to its version 1.31.
    """
    producers = producers_of(graph)
    for pool in graph.node:
        pad = producers.get(pool.input[0]) if pool.op_type == "MaxPool" else None
        zeros = _zeros(pad, constants) if pad else None
        if pad is None or zeros is None:
            continue
        activation = producers.get(pad.input[0])
        settings = settings_of(pool)
        before, after = zeros
        around = [*before[2:], *after[2:]]
        sides = settings["kernel_shape"] * 2
        never_below_zero = activation is not None and activation.op_type == "Relu"
        each_window_meets_an_input = all(0 <= zeros < side for zeros, side in zip(around, sides, strict=True))
        pads_none_yet = settings.keys() <= {"kernel_shape", "strides"} and not any((*before[:2], *after[:2]))
        if never_below_zero and each_window_meets_an_input and pads_none_yet:
            pool.input[0] = pad.input[0]
            change_settings(pool, pads=around)


def _zeros(pad: onnx.NodeProto, constants: Constants) -> tuple[list[int], list[int]] | None:
    """How many zeros a Pad puts before and after each axis; None where it does anything else."""
    # With more inputs it may pad with another number than 0, or other axes.
    if pad.op_type != "Pad" or len(pad.input) != 2 or pad.input[1] not in constants:
        return None
    if settings_of(pad).get("mode", b"constant") != b"constant":
        return None
    before, after = np.split(constants[pad.input[1]].astype(int), 2)
    return before.tolist(), after.tolist()
