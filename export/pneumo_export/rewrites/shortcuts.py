"""Merge the last convolution of a residual block with the one on its shortcut.

int8 then rounds their sum once, instead of both summands and their sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import CommonSubexpressionEliminationPass
from onnxscript.rewriter import RewriteRuleClassBase, rewrite

from pneumo_export.rewrites.values import constant_of, inputs_of, is_constant, node_of, set_constant


def join_shortcuts(model: ir.Model) -> None:
    """Apply both rules of this module to a model, in place."""
    rewrite(model, [StrideBeforePointwise.rule()])
    CommonSubexpressionEliminationPass()(model)  # the first convolution of a block and its shortcut share the pool
    rewrite(model, [JoinShortcut.rule()])


class StrideBeforePointwise(RewriteRuleClassBase):  # type: ignore[misc]
    """`Conv(x)` with a 1 x 1 kernel and strides becomes `Conv(MaxPool(x))` without, where the pool only strides."""

    def pattern(self, op: Any, x: ir.Value, weights: ir.Value, biases: ir.Value) -> Any:
        return op.Conv(x, weights, biases, _outputs=["maps"])

    def check(self, context: object, maps: ir.Value, **_: ir.Value) -> bool:
        return _is_pointwise(maps) and _strides(maps) != (1, 1)

    def rewrite(self, op: Any, x: ir.Value, weights: ir.Value, biases: ir.Value, maps: ir.Value) -> Any:
        thinned = op.MaxPool(x, kernel_shape=[1, 1], strides=_strides(maps))
        return op.Conv(thinned, weights, biases, kernel_shape=[1, 1], _name=node_of(maps).name)


class JoinShortcut(RewriteRuleClassBase):  # type: ignore[misc]
    """`Add(Conv(own), Conv(start))` becomes `Conv(Concat(own, start))`, for 1 x 1 kernels without strides.

    `own` are the block's own maps, which nothing else reads, and `start` those that the block started from.
    """

    def pattern(self, op: Any, one: ir.Value, other: ir.Value) -> Any:
        first = op.Conv(one, _allow_other_inputs=True, _outputs=["first"])
        second = op.Conv(other, _allow_other_inputs=True, _outputs=["second"])
        return op.Add(first, second, _outputs=["total"])

    def check(self, context: object, first: ir.Value, second: ir.Value, **_: ir.Value) -> bool:
        pointwise = all(_is_pointwise(maps) and _strides(maps) == (1, 1) for maps in (first, second))
        return pointwise and sorted(_is_read_once(inputs_of(node_of(maps))[0]) for maps in (first, second)) == [
            False,
            True,
        ]

    def rewrite(self, op: Any, first: ir.Value, second: ir.Value, total: ir.Value, **_: ir.Value) -> Any:
        last, shortcut = sorted(
            (node_of(first), node_of(second)), key=lambda node: not _is_read_once(inputs_of(node)[0])
        )
        (own, own_weights, own_biases), (start, start_weights, start_biases) = map(inputs_of, (last, shortcut))
        weights = np.concatenate([constant_of(own_weights), constant_of(start_weights)], axis=1)
        biases = constant_of(own_biases) + constant_of(start_biases)
        constants = [
            op.initializer(ir.tensor(array), name=f"{node_of(first).name}.joined.{name}")
            for name, array in (("weights", weights), ("biases", biases))
        ]
        both = op.Concat(own, start, axis=1)
        return op.Conv(both, *constants, kernel_shape=[1, 1], _name=node_of(total).name)


def match_ranges(model: ir.Model, ranges: Any) -> None:
    """Give maps that are concatenated the same range, so that int8 does not round them again.

    The block's own maps are scaled to the range of those that it started from, by the weights before them, and back by
    the weights after them: Relu commutes with a positive factor (Nagel et al., "Data-Free Quantization Through Weight
    Equalization and Bias Correction", ICCV 2019, section 4.1).

    Parameters
    ----------
    ranges
        onnxruntime's `TensorsData`, which is changed.
    """
    for node in model.graph:
        if node.op_type != "Concat" or [use.node.op_type for use in node.outputs[0].uses()] != ["Conv"]:
            continue
        own, start = inputs_of(node)
        source = start
        while (pool := source.producer()) is not None and pool.op_type == "MaxPool":  # its range is that of its input
            source = inputs_of(pool)[0]
        its, given = ranges[own.name], ranges[source.name]
        if min(its.highest, given.highest) > 0 and _scale(node, given.highest / its.highest):
            its.highest, its.lowest = given.highest, its.lowest * (given.highest / its.highest)
        lowest, highest = min(its.lowest, given.lowest), max(its.highest, given.highest)
        for value in (own, source, start, node.outputs[0]):
            ranges[value.name].lowest, ranges[value.name].highest = lowest, highest


def _scale(concat: ir.Node, factor: np.float32) -> bool:
    """Scale a block's own maps by a factor if they are Relu(Conv(x)); return whether they are."""
    activation = inputs_of(concat)[0].producer()
    if activation is None or activation.op_type != "Relu":
        return False
    sums = inputs_of(activation)[0]
    convolution = sums.producer()
    if convolution is None or convolution.op_type != "Conv" or not _is_read_once(sums):
        return False
    _, *constants = inputs_of(convolution)
    for value in constants:
        set_constant(value, constant_of(value) * factor)
    after = inputs_of(next(use.node for use in concat.outputs[0].uses()))[1]
    weights = constant_of(after).copy()
    weights[:, : len(constant_of(constants[0]))] /= factor
    set_constant(after, weights)
    return True


def _is_pointwise(maps: ir.Value) -> bool:
    node = node_of(maps)
    settings, constants = node.attributes, inputs_of(node)[1:]
    explicit = settings.get_string("auto_pad", "NOTSET") == "NOTSET" and not any(settings.get_ints("pads", ()))
    plain = settings.get_int("group", 1) == 1 and explicit
    return plain and len(constants) == 2 and is_constant(*constants) and constant_of(constants[0]).shape[2:] == (1, 1)


def _is_own(convolution: ir.Node) -> bool:
    return _is_read_once(inputs_of(convolution)[0])


def _strides(maps: ir.Value) -> tuple[int, ...]:
    return tuple(node_of(maps).attributes.get_ints("strides", (1, 1)))


def _is_read_once(value: ir.Value) -> bool:
    return len(value.uses()) == 1 and not value.is_graph_output()
