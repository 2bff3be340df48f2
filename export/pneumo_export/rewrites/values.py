"""Access to values that a rule has matched."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray


def node_of(value: ir.Value) -> ir.Node:
    """Return the node that computes a value."""
    node = value.producer()
    if node is None:
        raise ValueError(f"{value.name} is not computed by a node")
    return node


def inputs_of(node: ir.Node) -> list[ir.Value]:
    """Return the inputs of a node, without omitted ones."""
    return [value for value in node.inputs if value is not None]


def is_constant(*values: ir.Value | None) -> bool:
    """Return whether all values are given and constant."""
    return all(value is not None and value.const_value is not None for value in values)


def constant_of(value: ir.Value) -> Any:
    """Return a constant value as a numpy array of its dtype."""
    if value.const_value is None:
        raise ValueError(f"{value.name} is not constant")
    return value.const_value.numpy()


def length_of(value: ir.Value, axis: int) -> int:
    """Return the length of an axis, which must be known."""
    length = None if value.shape is None else value.shape[axis]
    if not isinstance(length, int):
        raise ValueError(f"{value.name} has no known length along axis {axis}")
    return length


def set_constant(value: ir.Value, array: NDArray[Any]) -> None:
    """Replace a constant value by an array of the same dtype."""
    value.const_value = ir.tensor(array, name=value.name)
    value.shape = ir.Shape(array.shape)
