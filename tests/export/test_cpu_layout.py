"""A graph arranged for a CPU gives the same numbers."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pneumo_export.cpu_layout import arrange_for_cpu


def first_layers(
    kernel: int, pad: int, *, side: int = 32, channels: int = 1, stride: int = 2, group: int = 1
) -> onnx.ModelProto:
    """A film less the mean of each row's mean, then convolved."""
    weights = np.random.default_rng(0).normal(size=(5, channels // group, kernel, kernel)).astype(np.float32)
    constants = {"weights": weights, "rows": np.array([2]), "columns": np.array([1])}
    settings = {"strides": [stride] * 2, "pads": [pad] * 4, "kernel_shape": [kernel] * 2, "group": group}
    nodes = [
        helper.make_node("ReduceMean", ["film", "rows"], ["means"], name="means", keepdims=1),
        helper.make_node("ReduceMean", ["means", "columns"], ["mean"], name="mean", keepdims=1),
        helper.make_node("Sub", ["film", "mean"], ["centred"]),
        helper.make_node("Transpose", ["centred"], ["channels"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["channels", "weights"], ["maps"], **settings),
    ]
    graph = helper.make_graph(
        nodes,
        "first layers",
        [helper.make_tensor_value_info("film", TensorProto.FLOAT, ["N", side, side, channels])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["N", 5, "rows", "columns"])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def maps_of(proto: onnx.ModelProto) -> np.ndarray:
    onnx.checker.check_model(proto, full_check=True)
    as_written = onnxruntime.SessionOptions()
    as_written.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), as_written, providers=["CPUExecutionProvider"])
    side, channels = (proto.graph.input[0].type.tensor_type.shape.dim[axis].dim_value for axis in (1, 3))
    film = np.random.default_rng(1).uniform(0, 255, (2, side, side, channels)).astype(np.float32)
    return np.asarray(session.run(None, {"film": film})[0])


@pytest.mark.parametrize(("kernel", "pad"), [(7, 3), (3, 1), (3, 0), (5, 2), (4, 1), (2, 0), (1, 0)])
def test_the_first_convolution_takes_four_quarters(kernel: int, pad: int) -> None:
    proto = first_layers(kernel, pad)
    before = maps_of(proto)
    arrange_for_cpu(proto)
    convolution = next(node for node in proto.graph.node if node.op_type == "Conv")
    assert [node.op_type for node in proto.graph.node].count("SpaceToDepth") == 1
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
    arrange_for_cpu(proto)
    assert "SpaceToDepth" not in [node.op_type for node in proto.graph.node]
    np.testing.assert_allclose(maps_of(proto), before, rtol=1e-5, atol=1e-3)


def test_means_take_the_axes_of_one_element_behind_theirs() -> None:
    proto = first_layers(3, 1)
    arrange_for_cpu(proto)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    means = {node.name: constants[node.input[1]].tolist() for node in proto.graph.node if node.op_type == "ReduceMean"}
    assert means == {"means": [2, 3], "mean": [1, 2, 3]}
    assert "rows" not in constants


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
    graph = helper.make_graph(
        nodes,
        "a pool",
        [helper.make_tensor_value_info("film", TensorProto.FLOAT, ["N", 32, 32, 2])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["N", 5, "rows", "columns"])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.mark.parametrize("zeros", [1, 2])
def test_a_pool_pads_by_itself_around_what_is_never_below_zero(zeros: int) -> None:
    proto = padded_pool(zeros=zeros)
    before = maps_of(proto)
    arrange_for_cpu(proto)
    assert [node.op_type for node in proto.graph.node] == ["Transpose", "Conv", "Relu", "MaxPool"]
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
    arrange_for_cpu(proto)
    assert "Pad" in [node.op_type for node in proto.graph.node]
    np.testing.assert_array_equal(maps_of(proto), before)
