"""What edits of an ONNX graph share."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Constants = dict[str, NDArray[Any]]
Shape = list[int | str]


def constants_of(graph: onnx.GraphProto) -> Constants:
    """The initializers by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def producers_of(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The node that gives each tensor."""
    return {name: node for node in graph.node for name in node.output}


def readers_of(graph: onnx.GraphProto, name: str) -> list[onnx.NodeProto]:
    """The nodes that take a tensor."""
    return [node for node in graph.node if name in node.input]


def read_once(graph: onnx.GraphProto, name: str) -> bool:
    """Whether one node takes a tensor, and nobody else does."""
    return len(readers_of(graph, name)) == 1 and all(output.name != name for output in graph.output)


def settings_of(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes by name."""
    return {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}


def change_settings(node: onnx.NodeProto, **changed: Any) -> None:
    """Write attributes over those of the same names."""
    settings = settings_of(node) | changed
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(key, value) for key, value in settings.items())


def shapes_of(proto: onnx.ModelProto) -> dict[str, Shape]:
    """What shape inference says of each tensor: a number for each side, or its name."""
    graph = onnx.shape_inference.infer_shapes(proto).graph
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info)
    }


def set_constant(graph: onnx.GraphProto, name: str, values: NDArray[Any]) -> str:
    """Write an initializer over the one of that name, or as a new one, and give back its name."""
    tensor = next((tensor for tensor in graph.initializer if tensor.name == name), None) or graph.initializer.add()
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(values, order="C"), name))
    return name


def insert_before(graph: onnx.GraphProto, node: onnx.NodeProto, *new: onnx.NodeProto) -> None:
    """Put nodes in front of one."""
    at = list(graph.node).index(node)
    for place, entry in enumerate(new, start=at):
        graph.node.insert(place, entry)


def drop_unread(graph: onnx.GraphProto) -> None:
    """Forget the nodes and the constants that no output depends on any more."""
    read = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):  # in an order in which each node follows its inputs
        if read.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            read.update(node.input)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)
