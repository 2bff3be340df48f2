"""Rearrange the first layers for onnxruntime's CPU kernels.

`python -m benchmarks.int8_search` measures the effect.
"""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass
from onnxscript.rewriter import rewrite
from onnxscript.rewriter.rules.common import fuse_pad_into_conv_rule

from pneumo_export.rewrites.padding import PadIntoMaxPool, TransposeBeforePad
from pneumo_export.rewrites.single_channel import ReshapeSingleChannel
from pneumo_export.rewrites.space_to_depth import SpaceToDepthBeforeConvolution

# In this order, because each rule matches what the one before it leaves.
RULES = (
    TransposeBeforePad.rule(),
    fuse_pad_into_conv_rule,
    PadIntoMaxPool.rule(),
    SpaceToDepthBeforeConvolution.rule(),
    ReshapeSingleChannel.rule(),
)


def arrange_for_cpu(model: ir.Model) -> None:
    """Apply `RULES` to a model, in place."""
    for rule in RULES:
        ShapeInferencePass()(model)  # the rules compare shapes, and new values have none
        rewrite(model, [rule])
