"""Let the first convolution take four channels instead of one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnxscript.rewriter import RewriteRuleClassBase

from pneumo_export.rewrites.values import constant_of, is_constant, length_of, node_of


class SpaceToDepthBeforeConvolution(RewriteRuleClassBase):  # type: ignore[misc]
    """`Conv(x)` with stride 2 over one channel becomes `Conv(SpaceToDepth(x))` with stride 1 over four.

    Each block of 2 x 2 pixels becomes one position with four channels, so that the convolution reads its input by four
    at once. The kernel is padded with rows and columns of zeros where it does not begin or end with a block.
    """

    def pattern(self, op: Any, x: ir.Value, weights: ir.Value) -> Any:
        return op.Conv(x, weights, _allow_other_inputs=True, _outputs=["maps"])

    def check(self, context: object, x: ir.Value, weights: ir.Value, maps: ir.Value) -> bool:
        if not is_constant(weights) or x.shape is None or len(x.shape) != 4:
            return False
        settings = node_of(maps).attributes
        even = all(isinstance(length, int) and length > 0 and length % 2 == 0 for length in x.shape[2:])
        square = x.shape[2] == x.shape[3] and constant_of(weights).shape[2] == constant_of(weights).shape[3]
        one_channel = constant_of(weights).shape[1] == 1 and settings.get_int("group", 1) == 1
        strided = settings.get_ints("strides") == (2, 2) and settings.get_ints("dilations", (1, 1)) == (1, 1)
        padded_evenly = len(set(_pads(maps))) == 1 and settings.get_string("auto_pad", "NOTSET") == "NOTSET"
        return even and square and one_channel and strided and padded_evenly

    def rewrite(self, op: Any, x: ir.Value, weights: ir.Value, maps: ir.Value) -> Any:
        kernel, pad = constant_of(weights), _pads(maps)[0]
        size, side = kernel.shape[2], length_of(x, 2)
        positions = (side + 2 * pad - size) // 2 + 1
        blocks = math.ceil((pad % 2 + size) / 2)
        before = math.ceil(pad / 2)
        after = positions - side // 2 - before + blocks - 1
        constant = op.initializer(ir.tensor(in_blocks(kernel, pad % 2, blocks)), name=f"{weights.name}.blocks")
        settings = {"kernel_shape": [blocks] * 2, "strides": [1, 1], "pads": [before, before, after, after]}
        other_inputs = node_of(maps).inputs[2:]
        return op.Conv(op.SpaceToDepth(x, blocksize=2), constant, *other_inputs, **settings, _name=node_of(maps).name)


def in_blocks(kernel: NDArray[np.float32], first: int, blocks: int) -> NDArray[np.float32]:
    """Rearrange a kernel (O, 1, k, k) to (O, 4, blocks, blocks), in the channel order of SpaceToDepth.

    Parameters
    ----------
    first
        Position of the kernel's first row and column in the first block, 0 or 1.
    """
    count, _, size, _ = kernel.shape
    padded = np.zeros((count, 2 * blocks, 2 * blocks), kernel.dtype)
    padded[:, first : first + size, first : first + size] = kernel[:, 0]
    by_block = padded.reshape(count, blocks, 2, blocks, 2)
    return by_block.transpose(0, 2, 4, 1, 3).reshape(count, 4, blocks, blocks)


def _pads(maps: ir.Value) -> tuple[int, ...]:
    return tuple(node_of(maps).attributes.get_ints("pads", (0, 0, 0, 0)))
