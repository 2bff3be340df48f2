"""The same names in each conversion, so that one Keras file gives one ONNX file, to the last bit."""

from __future__ import annotations

import re
from collections import Counter

import onnx

# What Keras and TensorFlow count up through a process, in each part of a name.
COUNTED = re.compile(r"(^functional(_\d+)?/)|((_+\d+)+(?=/|$))|(#\d+$)")


def normalise_names(proto: onnx.ModelProto) -> None:
    """Name nodes after the layers that they come from, and tensors after their nodes; sort constants by first use.

    Names as converted differ from process to process: they are numbered through it, and equal constants are merged in
    the order of a set of strings.
    """
    graph = proto.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    names = {value.name: value.name for value in (*graph.input, *graph.output)}
    taken: Counter[str] = Counter()
    used = []
    for node in graph.node:  # in an order in which each node follows its inputs
        if node.op_type == "Transpose":  # where two are equal one is left, and its name is either's
            node.name = f"{names.get(node.input[0], node.input[0]).partition(':')[0]}/{node.op_type}"
        node.name = _untaken(COUNTED.sub("", node.name) or node.op_type, taken)
        for place, name in enumerate(node.input):
            if name in constants and name not in names:
                names[name] = f"{node.name}.{place}"
                used.append(constants[name])
        for place, name in enumerate(node.output):
            names.setdefault(name, f"{node.name}:{place}")
        node.input[:] = [names[name] if name else "" for name in node.input]
        node.output[:] = [names[name] if name else "" for name in node.output]
    for tensor in used:
        tensor.name = names[tensor.name]
    kept = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    graph.doc_string = ""  # names a function by a count
    del graph.value_info[:]  # shapes in between, under their old names; onnxruntime infers them anyway


def _untaken(name: str, taken: Counter[str]) -> str:
    taken[name] += 1
    return name if taken[name] == 1 else f"{name}#{taken[name]}"
