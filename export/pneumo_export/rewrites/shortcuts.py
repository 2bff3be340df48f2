"""A block's last convolution and the one on its shortcut as a single one.

A residual block adds up two convolutions of one place each: of its own maps, and, where it changes their number, of
the maps it began with. Over both kinds of maps side by side that is one convolution, whose sum is exact and rounded
once, where int8 rounds both summands and their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from pneumo_export.rewrites.edits import (
    Constants,
    change_settings,
    constants_of,
    drop_unread,
    insert_before,
    producers_of,
    read_once,
    readers_of,
    set_constant,
    settings_of,
)

PLAIN = {"pads": [0, 0, 0, 0], "dilations": [1, 1], "group": 1, "auto_pad": b"NOTSET"}  # but for strides


@dataclass(frozen=True, slots=True)
class Joined:
    """Tensors by name: the block's own maps, those it began with, and both side by side."""

    own: str
    begun_with: str
    both: str


def join_shortcuts(graph: onnx.GraphProto) -> list[Joined]:
    """Join each shortcut that is a convolution with the convolution that it is added to."""
    joined = []
    for total in [node for node in graph.node if node.op_type == "Add" and len(set(node.input)) == 2]:
        constants, producers = constants_of(graph), producers_of(graph)
        pair = [producers.get(name) for name in total.input]
        both = [node for node in pair if node is not None and _is_pointwise(node, constants)]
        if len(both) == 2 and all(read_once(graph, node.output[0]) for node in both):
            made = {name: place for place, node in enumerate(graph.node) for name in node.output}
            shortcut, last = sorted(both, key=lambda node: made.get(node.input[0], -1))  # it begins with earlier maps
            if settings_of(last).get("strides", [1, 1]) == [1, 1]:
                joined.append(_join(graph, total, last, shortcut, constants))
    drop_unread(graph)
    return joined


def _is_pointwise(node: onnx.NodeProto, constants: Constants) -> bool:
    if node.op_type != "Conv" or len(node.input) != 3 or not constants.keys() >= set(node.input[1:]):
        return False
    settings = settings_of(node)
    plain = all(settings.get(name, usual) == usual for name, usual in PLAIN.items())
    return plain and constants[node.input[1]].shape[2:] == (1, 1)


def _join(
    graph: onnx.GraphProto, total: onnx.NodeProto, last: onnx.NodeProto, shortcut: onnx.NodeProto, constants: Constants
) -> Joined:
    begun_with = _thin_out(graph, shortcut, constants)
    joined = Joined(last.input[0], begun_with, f"{total.name}.both")
    weights = np.concatenate([constants[node.input[1]] for node in (last, shortcut)], axis=1)
    biases = constants[last.input[2]] + constants[shortcut.input[2]]
    named = [set_constant(graph, f"{total.name}.weights", weights), set_constant(graph, f"{total.name}.biases", biases)]
    insert_before(
        graph,
        total,
        helper.make_node("Concat", [joined.own, begun_with], [joined.both], name=joined.both, axis=1),
        helper.make_node("Conv", [joined.both, *named], total.output, name=total.name, kernel_shape=[1, 1]),
    )
    for node in (total, last, shortcut):
        graph.node.remove(node)
    return joined


def _thin_out(graph: onnx.GraphProto, shortcut: onnx.NodeProto, constants: Constants) -> str:
    """Leave out, before the block, the places that its strides leave out; the name of what is left."""
    strides = settings_of(shortcut).get("strides", [1, 1])
    begun_with: str = shortcut.input[0]
    if strides == [1, 1]:
        return begun_with
    thinned = f"{begun_with}.thinned"
    readers = readers_of(graph, begun_with)
    pool = helper.make_node("MaxPool", [begun_with], [thinned], name=thinned, kernel_shape=[1, 1], strides=strides)
    insert_before(graph, readers[0], pool)
    for reader in readers:
        if _is_pointwise(reader, constants) and settings_of(reader).get("strides") == strides:
            reader.input[0] = thinned
            change_settings(reader, strides=[1, 1])
    return thinned


def match_ranges(graph: onnx.GraphProto, ranges: Any, joined: list[Joined]) -> None:
    """Give maps that lie side by side one range, so that int8 need not round them again.

    The block's own maps are scaled to the range of those that it began with, by the weights before them, and back by
    the weights behind: a rectifier lets a positive factor through (Nagel et al., "Data-Free Quantization Through
    Weight Equalization and Bias Correction", ICCV 2019, section 4.1).

    Parameters
    ----------
    ranges
        onnxruntime's `TensorsData`, in which the ranges are written.
    """
    for maps in joined:
        producers = producers_of(graph)
        source = maps.begun_with
        while source in producers and producers[source].op_type == "MaxPool":  # which gives some of what it takes
            source = producers[source].input[0]
        own, begun_with = ranges[maps.own], ranges[source]
        if min(own.highest, begun_with.highest) > 0 and _scale(graph, maps, begun_with.highest / own.highest):
            own.highest, own.lowest = begun_with.highest, own.lowest * (begun_with.highest / own.highest)
        lowest, highest = min(own.lowest, begun_with.lowest), max(own.highest, begun_with.highest)
        for name in (maps.own, source, maps.begun_with, maps.both):
            ranges[name].lowest, ranges[name].highest = lowest, highest


def _scale(graph: onnx.GraphProto, maps: Joined, factor: np.float32) -> bool:
    """Scale a block's own maps where a rectified convolution gives them; whether it does."""
    constants, producers = constants_of(graph), producers_of(graph)
    rectifier = producers[maps.own]
    convolution = producers.get(rectifier.input[0])
    alone = all(read_once(graph, name) for name in (maps.own, rectifier.input[0]))
    if convolution is None or (rectifier.op_type, convolution.op_type) != ("Relu", "Conv") or not alone:
        return False
    for name in convolution.input[1:]:
        set_constant(graph, name, constants[name] * factor)
    behind = readers_of(graph, maps.both)[0].input[1]
    channels = constants[convolution.input[1]].shape[0]
    weights = constants[behind].copy()
    weights[:, :channels] /= factor
    set_constant(graph, behind, weights)
    return True
