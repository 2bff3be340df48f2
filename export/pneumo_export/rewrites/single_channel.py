"""Reshape instead of transposing where only axes of length 1 move, so that nothing is copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import RewriteRuleClassBase

from pneumo_export.rewrites.values import length_of, node_of


class ReshapeSingleChannel(RewriteRuleClassBase):  # type: ignore[misc]
    """`Transpose(x)` becomes `Reshape(x)` if the order of the axes longer than 1 stays the same.

    The first axis, the batch, has an unknown length and must stay where it is.
    """

    def pattern(self, op: Any, x: ir.Value) -> Any:
        return op.Transpose(x, _outputs=["transposed"])

    def check(self, context: object, x: ir.Value, transposed: ir.Value) -> bool:
        perm = node_of(transposed).attributes.get("perm")
        if perm is None or x.shape is None or not all(isinstance(length, int) for length in x.shape[1:]):
            return False
        moved = [axis for axis in perm.as_ints() if x.shape[axis] != 1]
        return moved[0] == 0 and moved == sorted(moved)

    def rewrite(self, op: Any, x: ir.Value, transposed: ir.Value) -> Any:
        _, *axes = node_of(transposed).attributes["perm"].as_ints()
        lengths = np.array([-1, *(length_of(x, axis) for axis in axes)], np.int64)
        return op.Reshape(x, op.initializer(ir.tensor(lengths), name=f"{transposed.name}.shape"))
