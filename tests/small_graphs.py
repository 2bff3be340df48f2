"""Small ONNX graphs made by hand, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TYPES = {"image": TensorProto.UINT8}  # anything else is of floats


def small_graph(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
    constants: Mapping[str, np.ndarray],
) -> onnx.ModelProto:
    """A graph of the opset that is exported; inputs and outputs are given by their shapes."""
    described = [
        [helper.make_tensor_value_info(name, TYPES.get(name, TensorProto.FLOAT), shape) for name, shape in side.items()]
        for side in (inputs, outputs)
    ]
    tensors = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(list(nodes), "small", *described, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def rewritten(proto: onnx.ModelProto, change: Callable[[ir.Model], None]) -> onnx.ModelProto:
    """The graph after a change."""
    model = ir.from_proto(proto)
    change(model)
    return ir.to_proto(model)


def answers(proto: onnx.ModelProto, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """What a valid graph gives in onnxruntime, which runs it as it is written."""
    onnx.checker.check_model(proto, full_check=True)
    as_written = onnxruntime.SessionOptions()
    as_written.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), as_written, providers=["CPUExecutionProvider"])
    names = [output.name for output in proto.graph.output]
    given: list[Any] = session.run(names, inputs)
    return dict(zip(names, given, strict=True))


def operators(proto: onnx.ModelProto) -> list[str]:
    """The types of its nodes, in order."""
    return [node.op_type for node in proto.graph.node]
