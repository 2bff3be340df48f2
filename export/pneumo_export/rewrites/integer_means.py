"""Compute means of quantised maps as sums of integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass
from onnxscript.rewriter import RewriteRuleClassBase, rewrite

from pneumo_export.rewrites.values import constant_of, is_constant, length_of


class SumIntegers(RewriteRuleClassBase):  # type: ignore[misc]
    """`ReduceMean(DequantizeLinear(x))` over rows and columns becomes `MatMulInteger(ones, x)`, scaled.

    onnxruntime has a fast kernel for the product, and no value is converted to float before the sum.
    """

    def __init__(self) -> None:
        super().__init__(remove_nodes=False)  # the next convolutions may read the dequantised maps, too

    def pattern(self, op: Any, x: ir.Value, scale: ir.Value, zero: ir.Value, axes: ir.Value) -> Any:
        return op.ReduceMean(op.DequantizeLinear(x, scale, zero), axes, keepdims=0, _outputs=["means"])

    def check(
        self, context: object, x: ir.Value, scale: ir.Value, zero: ir.Value, axes: ir.Value, **_: ir.Value
    ) -> bool:
        if not is_constant(scale, zero, axes) or x.shape is None or len(x.shape) != 4:
            return False
        known = all(isinstance(length, int) for length in x.shape[1:])
        return known and constant_of(scale).ndim == 0 and constant_of(axes).tolist() == [2, 3]

    def rewrite(self, op: Any, x: ir.Value, scale: ir.Value, zero: ir.Value, means: ir.Value, **_: ir.Value) -> Any:
        channels, rows, columns = (length_of(x, axis) for axis in (1, 2, 3))
        positions = rows * columns

        def constant(name: str, array: Any) -> ir.Value:
            value: ir.Value = op.initializer(ir.tensor(array), name=f"{means.name}.{name}")
            return value

        channels_last = op.Transpose(x, perm=[0, 2, 3, 1])  # the order in which convolutions leave them in memory
        by_position = op.Reshape(channels_last, constant("rows", np.array([0, positions, channels], np.int64)))
        ones = constant("ones", np.ones((1, positions), np.uint8))
        sums = op.MatMulInteger(ones, by_position, constant("no_offset", np.zeros(1, np.uint8)), zero)
        flat = op.Cast(op.Squeeze(sums, constant("row", np.array([1], np.int64))), to=ir.DataType.FLOAT)
        return op.Mul(flat, constant("scale", (constant_of(scale) / np.float32(positions)).astype(np.float32)[None]))


def sum_integers(model: ir.Model) -> None:
    """Apply `SumIntegers` to a model, in place."""
    ShapeInferencePass()(model)
    rewrite(model, [SumIntegers.rule()])
