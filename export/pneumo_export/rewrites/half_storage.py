"""Store constants in float16 where that is exact, which halves their size."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

MIN_BYTES = 1 << 20  # of a constant; smaller ones are not worth another node


def store_in_half(model: ir.Model) -> None:
    """Store each large float32 constant whose values are all float16 numbers as float16, and cast it when it is used.

    onnxruntime casts it once, when it opens the file.
    """
    graph = model.graph
    for value in list(graph.initializers.values()):
        if value.dtype != ir.DataType.FLOAT or value.const_value is None or value.const_value.nbytes < MIN_BYTES:
            continue
        array = value.const_value.numpy()
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if np.array_equal(half.astype(np.float32), array):
            name = f"{value.name}.half"
            stored = ir.Value(name=name, const_value=ir.tensor(half, name=name))
            graph.register_initializer(stored)
            cast = ir.node("Cast", [stored], {"to": ir.DataType.FLOAT}, name=f"{value.name}.cast")
            graph.insert_before(graph[0], cast)
            value.replace_all_uses_with(cast.outputs[0])
            del graph.initializers[str(value.name)]
            cast.outputs[0].name = value.name
