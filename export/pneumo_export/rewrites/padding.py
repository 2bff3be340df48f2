"""Let convolutions and pools pad by themselves, which saves a copy of their input."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import RewriteRuleClassBase

from pneumo_export.rewrites.values import constant_of, is_constant, node_of


class TransposeBeforePad(RewriteRuleClassBase):  # type: ignore[misc]
    """`Transpose(Pad(x))` becomes `Pad(Transpose(x))`.

    onnxscript's `fuse_pad_into_conv_rule` then moves the padding into the convolution that follows.
    """

    def pattern(self, op: Any, x: ir.Value, pads: ir.Value) -> Any:
        return op.Transpose(op.Pad(x, pads, _outputs=["padded"]), _outputs=["transposed"])

    def check(self, context: object, pads: ir.Value, transposed: ir.Value, **_: ir.Value) -> bool:
        return is_constant(pads) and "perm" in node_of(transposed).attributes

    def rewrite(self, op: Any, x: ir.Value, pads: ir.Value, padded: ir.Value, transposed: ir.Value) -> Any:
        perm = node_of(transposed).attributes["perm"].as_ints()
        moved = constant_of(pads).reshape(2, -1)[:, perm].ravel()
        constant = op.initializer(ir.tensor(moved), name=f"{pads.name}.transposed")
        return op.Pad(op.Transpose(x, perm=perm), constant, **node_of(padded).attributes)


class PadIntoMaxPool(RewriteRuleClassBase):  # type: ignore[misc]
    """`MaxPool(Pad(x))` becomes `MaxPool(x)` with `pads`, if x is the output of a Relu and the padding is zeros.

    A pool pads with the smallest number, which gives the same result if no input is negative and every window contains
    an input. onnxruntime did this itself up to version 1.31.
    """

    def pattern(self, op: Any, x: ir.Value, pads: ir.Value) -> Any:
        return op.MaxPool(op.Pad(x, pads, _outputs=["padded"]), _outputs=["pooled"])

    def check(self, context: object, x: ir.Value, pads: ir.Value, padded: ir.Value, pooled: ir.Value) -> bool:
        activation, pool = x.producer(), node_of(pooled).attributes
        mode = node_of(padded).attributes.get_string("mode", "constant")
        if activation is None or activation.op_type != "Relu" or mode != "constant" or not is_constant(pads):
            return False
        around = constant_of(pads).reshape(2, -1)
        sides = around[:, 2:]
        every_window_contains_an_input = bool(np.all((sides >= 0) & (sides < pool["kernel_shape"].as_ints())))
        pads_nothing_yet = pool.keys() <= {"kernel_shape", "strides"} and not around[:, :2].any()
        return every_window_contains_an_input and pads_nothing_yet

    def rewrite(self, op: Any, x: ir.Value, pads: ir.Value, pooled: ir.Value, **_: ir.Value) -> Any:
        sides = constant_of(pads).reshape(2, -1)[:, 2:]
        pool = node_of(pooled)
        return op.MaxPool(x, **pool.attributes, pads=sides.ravel().tolist(), _name=pool.name)
