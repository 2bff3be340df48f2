"""Constants that float16 can represent, stored as such: half the bytes, and not a digit less."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FEWEST_BYTES = 1 << 20  # of a constant, for which a node more is worth it


def store_in_half(proto: onnx.ModelProto) -> None:
    """Store each large float32 constant whose values all are float16 numbers in that type, with a cast behind it.

    onnxruntime casts it once, as it opens the file.
    """
    graph = proto.graph
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if values.nbytes < FEWEST_BYTES or not np.array_equal(halved.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(halved, f"{name}.half"))
        cast = helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT)
        graph.node.insert(0, cast)
