"""A shortcut joined with what it is added to gives the same sums."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper
from small_graphs import answers, operators, rewritten, small_graph

from pneumo_export.rewrites.names import normalise_names
from pneumo_export.rewrites.shortcuts import join_shortcuts, match_ranges

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
    proto = rewritten(proto, join_shortcuts)
    pools = ["MaxPool"] * ((not first) + (strides == 2))
    assert operators(proto) == [*pools, "Conv", "Relu", "Conv", "Relu", "Concat", "Conv", "Relu"]
    np.testing.assert_allclose(answers(proto, maps=MAPS)["out"], before, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "proto",
    [block(on_shortcut=False), block(kernel=3), block(summand_is_seen=True)],
    ids=["the same twice", "neighbours, too", "a summand that is read"],
)
def test_other_sums_are_left_as_they_are(proto: onnx.ModelProto) -> None:
    before = answers(proto, maps=MAPS)
    proto = rewritten(proto, join_shortcuts)
    assert "Add" in operators(proto)
    assert "Concat" not in operators(proto)
    after = answers(proto, maps=MAPS)
    assert all(np.array_equal(after[name], values) for name, values in before.items())


def ranges(model: ir.Model, **highest: float) -> dict[str, SimpleNamespace]:
    """Measured ranges: 4 for maps that come from the input, 3 for concatenated ones, and those given."""
    concatenated = {node.outputs[0].name: 3.0 for node in model.graph if node.op_type == "Concat"}
    pooled = {node.outputs[0].name: 4.0 for node in model.graph if node.op_type == "MaxPool"}
    measured = {"maps": 4.0} | pooled | concatenated | highest
    return {name: SimpleNamespace(lowest=np.float32(0), highest=np.float32(value)) for name, value in measured.items()}


def joined(proto: onnx.ModelProto) -> ir.Model:
    model = ir.from_proto(proto)
    join_shortcuts(model)
    normalise_names(model)
    return model


def output_of(model: ir.Model, name: str) -> str:
    return next(str(node.outputs[0].name) for node in model.graph if (node.name or "").startswith(name))


def constants(model: ir.Model) -> dict[str, np.ndarray]:
    return {name: value.const_value.numpy().copy() for name, value in model.graph.initializers.items()}


@pytest.mark.parametrize("strides", [1, 2])
def test_concatenated_maps_get_one_range_and_the_sums_stay(strides: int) -> None:
    proto = block(strides)
    before = answers(proto, maps=MAPS)["out"]
    model = joined(proto)
    weights = constants(model)
    own, concatenated = (output_of(model, name) for name in ("own", "node_Concat"))
    measured = ranges(model, **{own: 0.5})
    match_ranges(model, measured)
    changed = constants(model)
    scales = {name: np.unique(np.round(changed[name] / values, 4)).tolist() for name, values in weights.items()}
    assert sorted(scales.values()) == [[0.125, 1.0], *[[1.0]] * (len(scales) - 3), [8.0], [8.0]]
    assert {measured[name].highest for name in (own, "maps", concatenated)} == {4.0}
    np.testing.assert_allclose(answers(ir.to_proto(model), maps=MAPS)["out"], before, rtol=1e-4, atol=1e-3)


def test_maps_that_are_not_from_a_relu_are_not_scaled_but_get_the_wider_range() -> None:
    model = joined(block(rectified=False))
    weights = constants(model)
    own, concatenated = (output_of(model, name) for name in ("own", "node_Concat"))
    measured = ranges(model, **{own: 0.5})
    measured[own].lowest = np.float32(-2)
    match_ranges(model, measured)
    assert all(np.array_equal(values, weights[name]) for name, values in constants(model).items())
    assert {(measured[name].lowest, measured[name].highest) for name in (own, "maps", concatenated)} == {(-2.0, 4.0)}
