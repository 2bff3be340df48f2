"""A graph arranged for a CPU gives the same numbers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper
from small_graphs import answers, operators, rewritten, small_graph

from pneumo_export.rewrites.cpu_layout import arrange_for_cpu

SIDE = 32


def first_layers(
    kernel: int,
    pad: int,
    *,
    side: int = SIDE,
    channels: int = 1,
    stride: int = 2,
    group: int = 1,
    around: tuple[int, ...] | None = None,
    mode: str = "constant",
    padded_is_seen: bool = False,
) -> onnx.ModelProto:
    """A film less the mean of each row's mean, optionally padded with zeros, then convolved."""
    convolved = channels + (around[3] + around[7] if around else 0)
    weights = np.random.default_rng(0).normal(size=(5, convolved // group, kernel, kernel)).astype(np.float32)
    constants = {"weights": weights, "rows": np.array([2]), "columns": np.array([1])}
    settings = {"strides": [stride] * 2, "pads": [pad] * 4, "kernel_shape": [kernel] * 2, "group": group}
    last = "centred" if around is None else "padded"
    nodes = [
        helper.make_node("ReduceMean", ["film", "rows"], ["means"], name="means", keepdims=1),
        helper.make_node("ReduceMean", ["means", "columns"], ["mean"], name="mean", keepdims=1),
        helper.make_node("Sub", ["film", "mean"], ["centred"]),
        helper.make_node("Transpose", [last], ["channels"], name="channels", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels", "weights"], ["maps"], **settings),
    ]
    outputs: dict[str, list[int | str]] = {"maps": ["N", 5, "rows", "columns"]}
    if around is not None:
        constants["around"] = np.array(around)
        nodes.insert(3, helper.make_node("Pad", ["centred", "around"], ["padded"], mode=mode))
    if padded_is_seen:
        nodes.append(helper.make_node("Identity", ["padded"], ["seen"]))
        outputs["seen"] = ["N", "high", "wide", channels]
    return small_graph(nodes, {"film": ["N", side, side, channels]}, outputs, constants)


def maps_of(proto: onnx.ModelProto) -> np.ndarray:
    side, channels = (proto.graph.input[0].type.tensor_type.shape.dim[axis].dim_value for axis in (1, 3))
    film = np.random.default_rng(1).uniform(0, 255, (2, side, side, channels)).astype(np.float32)
    return answers(proto, film=film)["maps"]


@pytest.mark.parametrize(("kernel", "pad"), [(7, 3), (3, 1), (3, 0), (5, 2), (4, 1), (2, 0), (1, 0)])
def test_the_first_convolution_takes_four_quarters(kernel: int, pad: int) -> None:
    proto = first_layers(kernel, pad)
    before = maps_of(proto)
    proto = rewritten(proto, arrange_for_cpu)
    convolution = next(node for node in proto.graph.node if node.op_type == "Conv")
    assert operators(proto).count("SpaceToDepth") == 1
    weights = next(tensor for tensor in proto.graph.initializer if tensor.name == convolution.input[1])
    assert weights.dims[1] == 4
    np.testing.assert_allclose(maps_of(proto), before, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "proto",
    [
        first_layers(3, 1, side=31),
        first_layers(3, 1, channels=3),
        first_layers(3, 1, channels=5, group=5),
        first_layers(3, 1, stride=1),
    ],
    ids=["an odd side", "three channels", "channel by channel", "no stride"],
)
def test_another_convolution_is_left_as_it_is(proto: onnx.ModelProto) -> None:
    before = maps_of(proto)
    proto = rewritten(proto, arrange_for_cpu)
    assert "SpaceToDepth" not in operators(proto)
    np.testing.assert_allclose(maps_of(proto), before, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("around", [(0, 8, 8, 0, 0, 8, 8, 0), (0, 3, 1, 0, 0, 0, 2, 0)], ids=["even", "uneven"])
def test_the_first_convolution_pads_by_itself(around: tuple[int, ...]) -> None:
    proto = first_layers(7, 3, around=around)
    before = maps_of(proto)
    proto = rewritten(proto, arrange_for_cpu)
    assert "Pad" not in operators(proto)
    np.testing.assert_allclose(maps_of(proto), before, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "proto",
    [
        first_layers(3, 1, channels=2, around=(0, 1, 1, 1, 0, 1, 1, 0)),
        first_layers(3, 1, around=(1, 1, 1, 0, 0, 1, 1, 0)),
        first_layers(3, 1, around=(0, -1, 1, 0, 0, 1, 1, 0)),
        first_layers(3, 1, around=(0, 1, 1, 0, 0, 1, 1, 0), mode="reflect"),
        first_layers(3, 1, around=(0, 1, 1, 0, 0, 1, 1, 0), padded_is_seen=True),
    ],
    ids=["a channel", "a film", "cut off", "mirrored", "read by others"],
)
def test_another_padding_of_a_film_is_left_as_it_is(proto: onnx.ModelProto) -> None:
    before = maps_of(proto)
    proto = rewritten(proto, arrange_for_cpu)
    assert "Pad" in operators(proto)
    np.testing.assert_allclose(maps_of(proto), before, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("channels", "moved"), [(1, "Reshape"), (3, "Transpose")])
def test_a_single_channel_is_not_moved_in_memory(channels: int, moved: str) -> None:
    proto = first_layers(3, 1, side=31, channels=channels)
    before = maps_of(proto)
    proto = rewritten(proto, arrange_for_cpu)
    assert operators(proto)[3] == moved
    np.testing.assert_allclose(maps_of(proto), before, rtol=1e-5, atol=1e-3)


def padded_pool(
    activation: str = "Relu", *, zeros: int = 1, around: float | None = None, mode: str = "constant"
) -> onnx.ModelProto:
    """The largest of each 3x3 window over a convolved film, padded beforehand."""
    weights = np.random.default_rng(0).normal(size=(5, 2, 1, 1)).astype(np.float32)
    constants = {"weights": weights, "pads": np.array([0, 0, zeros, zeros, 0, 0, zeros - 1, zeros])}
    if around is not None:
        constants["around"] = np.array(around, np.float32)
    nodes = [
        helper.make_node("Transpose", ["film"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels", "weights"], ["sums"], kernel_shape=[1, 1]),
        helper.make_node(activation, ["sums"], ["activations"]),
        helper.make_node("Pad", ["activations", "pads"] + ["around"] * (around is not None), ["padded"], mode=mode),
        helper.make_node("MaxPool", ["padded"], ["maps"], kernel_shape=[3, 3], strides=[2, 2]),
    ]
    outputs = {"maps": ["N", 5, "rows", "columns"]}
    return small_graph(nodes, {"film": ["N", SIDE, SIDE, 2]}, outputs, constants)


@pytest.mark.parametrize("zeros", [1, 2])
def test_a_pool_pads_by_itself_around_what_is_never_below_zero(zeros: int) -> None:
    proto = padded_pool(zeros=zeros)
    before = maps_of(proto)
    proto = rewritten(proto, arrange_for_cpu)
    assert operators(proto) == ["Transpose", "Conv", "Relu", "MaxPool"]
    assert [tensor.name for tensor in proto.graph.initializer] == ["weights"]
    np.testing.assert_array_equal(maps_of(proto), before)


@pytest.mark.parametrize(
    "proto",
    [
        padded_pool("Identity"),
        padded_pool(zeros=3),
        padded_pool(around=5.0),
        padded_pool(mode="reflect"),
    ],
    ids=["below zero", "windows of zeros alone", "another number", "mirrored"],
)
def test_another_padding_is_left_as_it_is(proto: onnx.ModelProto) -> None:
    before = maps_of(proto)
    proto = rewritten(proto, arrange_for_cpu)
    assert "Pad" in operators(proto)
    np.testing.assert_array_equal(maps_of(proto), before)
