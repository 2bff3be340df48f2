"""A shortcut joined with what it is added to gives the same sums."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from small_graphs import answers, operators, small_graph

from pneumo_export.rewrites.shortcuts import Joined, join_shortcuts, match_ranges

MAPS = np.random.default_rng(3).uniform(0, 4, (2, 6, 9, 9)).astype(np.float32)


def block(
    strides: int = 1,
    *,
    on_shortcut: bool = True,
    kernel: int = 1,
    summand_is_seen: bool = False,
    rectified: bool = True,
    first: bool = False,
) -> onnx.ModelProto:
    """A residual block of three convolutions, over pooled maps or first in its graph, with one on its shortcut."""
    rng = np.random.default_rng(0)
    constants = {}
    for name, given, taken, size in (
        ("first", 4, 6, 1),
        ("second", 4, 4, 3),
        ("third", 7, 4, 1),
        ("short", 7, 6, kernel),
    ):
        constants[f"{name}.w"] = rng.normal(size=(given, taken, size, size)).astype(np.float32)
        constants[f"{name}.b"] = rng.normal(size=given).astype(np.float32)

    def convolve(name: str, taken: str, **settings: object) -> onnx.NodeProto:
        return helper.make_node("Conv", [taken, f"{name}.w", f"{name}.b"], [name], name=name, **settings)

    start = "maps" if first else "start"
    nodes = [
        helper.make_node("MaxPool", ["maps"], ["start"], name="start", kernel_shape=[1, 1]),
        convolve("first", start, kernel_shape=[1, 1], strides=[strides] * 2),
        helper.make_node("Relu", ["first"], ["first.relu"]),
        convolve("second", "first.relu", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Relu" if rectified else "Identity", ["second"], ["own"], name="own"),
        convolve("third", "own", kernel_shape=[1, 1]),
        convolve("short", start, kernel_shape=[kernel] * 2, strides=[strides] * 2, pads=[kernel // 2] * 4),
        helper.make_node("Add", ["short" if on_shortcut else "third", "third"], ["sum"], name="sum"),
        helper.make_node("Relu", ["sum"], ["out"]),
    ]
    outputs: dict[str, list[int | str]] = {"out": ["N", 7, "high", "wide"]}
    nodes = nodes[first:]
    if summand_is_seen:
        outputs["third"] = ["N", 7, "high", "wide"]
    return small_graph(nodes, {"maps": ["N", 6, 9, 9]}, outputs, constants)


@pytest.mark.parametrize("first", [False, True], ids=["later", "first"])
@pytest.mark.parametrize("strides", [1, 2])
def test_a_shortcut_is_joined_with_what_it_is_added_to(strides: int, first: bool) -> None:
    proto = block(strides, first=first)
    before = answers(proto, maps=MAPS)["out"]
    start = "maps" if first else "start"
    assert join_shortcuts(proto.graph) == [Joined("own", f"{start}.thinned" if strides == 2 else start, "sum.both")]
    pools = ["MaxPool"] * ((not first) + (strides == 2))
    assert operators(proto) == [*pools, "Conv", "Relu", "Conv", "Relu", "Concat", "Conv", "Relu"]
    np.testing.assert_allclose(answers(proto, maps=MAPS)["out"], before, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "proto",
    [block(on_shortcut=False), block(kernel=3), block(summand_is_seen=True)],
    ids=["the same twice", "neighbours, too", "a summand that is read"],
)
def test_other_sums_are_left_as_they_are(proto: onnx.ModelProto) -> None:
    before = operators(proto)
    assert join_shortcuts(proto.graph) == []
    assert [entry for entry in before if entry != "Conv"] == [entry for entry in operators(proto) if entry != "Conv"]


def ranges(**highest: float) -> dict[str, SimpleNamespace]:
    return {name: SimpleNamespace(lowest=np.float32(0), highest=np.float32(value)) for name, value in highest.items()}


@pytest.mark.parametrize("strides", [1, 2])
def test_maps_side_by_side_get_one_range_and_the_sums_stay(strides: int) -> None:
    proto = block(strides)
    before = answers(proto, maps=MAPS)["out"]
    joined = join_shortcuts(proto.graph)
    weights = {tensor.name: numpy_helper.to_array(tensor).copy() for tensor in proto.graph.initializer}
    start = {joined[0].begun_with: 4.0} | {"maps": 4.0, "start": 4.0}
    measured = ranges(own=0.5, **start) | ranges(**{"sum.both": 3.0})
    match_ranges(proto.graph, measured, joined)
    changed = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    np.testing.assert_allclose(changed["second.w"], 8 * weights["second.w"])
    np.testing.assert_allclose(changed["second.b"], 8 * weights["second.b"])
    np.testing.assert_allclose(changed["sum.weights"][:, :4], weights["sum.weights"][:, :4] / 8)
    assert {measured[name].highest for name in ("own", "maps", joined[0].begun_with, "sum.both")} == {4.0}
    np.testing.assert_allclose(answers(proto, maps=MAPS)["out"], before, rtol=1e-4, atol=1e-3)


def test_what_no_rectifier_gives_is_not_scaled_but_has_the_wider_range() -> None:
    proto = block(rectified=False)
    joined = join_shortcuts(proto.graph)
    weights = {tensor.name: tensor.SerializeToString() for tensor in proto.graph.initializer}
    measured = ranges(own=0.5, maps=4.0, start=4.0) | ranges(**{"sum.both": 3.0})
    measured["own"].lowest = np.float32(-2)
    match_ranges(proto.graph, measured, joined)
    assert {tensor.name: tensor.SerializeToString() for tensor in proto.graph.initializer} == weights
    assert {(measured[name].lowest, measured[name].highest) for name in ("own", "maps", "sum.both")} == {(-2.0, 4.0)}
