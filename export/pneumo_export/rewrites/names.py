"""Names that are the same in each conversion, so that one Keras file always gives the same ONNX file."""

from __future__ import annotations

import re
from collections import Counter

import onnx_ir as ir

from pneumo_export.rewrites.values import inputs_of

# The numbers that Keras and TensorFlow count up in a process, in each part of a name.
COUNTED = re.compile(r"(^functional(_\d+)?/)|((_+\d+)+(?=/|$))|(#\d+$)")


def normalise_names(model: ir.Model) -> None:
    """Name nodes after their layers and values after their nodes, and sort constants by first use, in place.

    Converted names differ from process to process: they are numbered, and equal constants are merged in the order of a
    set of strings.
    """
    graph = model.graph
    ends = set(graph.inputs) | set(graph.outputs)
    constants = set(graph.initializers.values())
    graph.initializers.clear()
    taken: Counter[str] = Counter()
    named = set(ends)
    used: list[ir.Value] = []
    for node in graph:  # in topological order
        if node.op_type == "Transpose":  # of two equal ones, either may have been removed
            node.name = f"{str(inputs_of(node)[0].name).partition(':')[0]}/{node.op_type}"
        node.name = _untaken(COUNTED.sub("", node.name or "") or node.op_type, taken)
        for number, value in enumerate(node.inputs):
            if value is not None and value in constants and value not in named:
                value.name = f"{node.name}.{number}"
                used.append(value)
                named.add(value)
        for number, value in enumerate(node.outputs):
            if value not in ends:
                value.name = f"{node.name}:{number}"
                value.shape = value.type = None  # not needed, and not the same in each conversion
    for value in used:
        graph.register_initializer(value)
    graph.doc_string = None  # has the name of a function, with a number


def _untaken(name: str, taken: Counter[str]) -> str:
    taken[name] += 1
    return name if taken[name] == 1 else f"{name}#{taken[name]}"
