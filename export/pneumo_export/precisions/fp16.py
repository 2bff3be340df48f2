"""Convert fp32 to fp16, which halves the size and is several times faster on the tensor cores of GPUs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pneumo_export.convert import outside_convolutions


def convert_to_fp16(fp32: Path, fp16: Path) -> None:
    """Write a version of a graph whose convolutions compute in float16; inputs and outputs keep their types.

    Input scaling and the computation of the outputs stay in float32, because a variance of grey levels, or a distance
    in which large numbers cancel, needs more than the 11 significant bits of float16. The converter of onnxruntime is
    not suitable: it also rounds tensors between two operators that stay in float32.

    Parameters
    ----------
    fp32, fp16
        The file to read and the file to write.
    """
    proto = onnx.load(fp32)
    graph = proto.graph
    kept = set(outside_convolutions(graph))
    half_outputs = {name for node in graph.node if node.name not in kept for name in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    cast: dict[str, str] = {}  # tensor name to its name in the other precision
    for node in graph.node:
        half = node.name not in kept
        for place, name in enumerate(node.input):
            if half and name in constants and constants[name].data_type == TensorProto.FLOAT:
                node.input[place] = cast.setdefault(name, f"{name}.half")
            elif name and name not in constants and half != (name in half_outputs):
                if name not in cast:
                    cast[name] = f"{name}.{'half' if half else 'float'}"
                    to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
                    nodes.append(helper.make_node("Cast", [name], [cast[name]], name=f"{cast[name]}.cast", to=to))
                node.input[place] = cast[name]
        nodes.append(node)
    for name in [name for name in cast if name in constants]:
        halved = numpy_helper.to_array(constants[name]).astype(np.float16)
        graph.initializer.append(numpy_helper.from_array(halved, cast[name]))
    _replace_nodes(graph, nodes)
    onnx.save(proto, fp16)


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    used = {name for node in graph.node for name in node.input}
    kept = [onnx.TensorProto.FromString(t.SerializeToString()) for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.value_info[:]  # types of intermediate tensors, which are outdated now
