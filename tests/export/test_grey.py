"""Three equal channels become one, and nothing else changes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from pneumo_export.grey import fold_equal_channels


def coloured(offset: float, *, channels_seen: bool = False, channels_given: int = 1) -> onnx.ModelProto:
    """A film made three channels, each scaled, moved, padded, and convolved."""
    constants = {
        "scale": np.array([0.5, -2.0, 3.0][: 3 // channels_given], dtype=np.float32),
        "offset": np.array([offset], dtype=np.float32),
        "edges": np.array([0, 2, 2, 0, 0, 2, 2, 0], dtype=np.int64),
        "weights": np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Concat", ["film"] * (3 // channels_given), ["colour"], axis=3),
        helper.make_node("Mul", ["colour", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["moved"]),
        helper.make_node("Pad", ["moved", "edges"], ["padded"]),
        helper.make_node("Transpose", ["padded"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "weights"], ["maps"]),
    ]
    outputs = ["maps"]
    if channels_seen:
        nodes.append(helper.make_node("Identity", ["scaled"], ["seen"]))
        outputs.append("seen")
    graph = helper.make_graph(
        nodes,
        "coloured",
        [helper.make_tensor_value_info("film", TensorProto.FLOAT, ["N", 8, 8, channels_given])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def test_a_convolution_of_equal_channels_is_one_of_one_channel() -> None:
    proto = coloured(offset=0.0)
    film = np.random.default_rng(1).normal(size=(2, 8, 8, 1)).astype(np.float32)
    (before,) = ReferenceEvaluator(proto).run(None, {"film": film})
    fold_equal_channels(proto)
    assert [node.op_type for node in proto.graph.node] == ["Pad", "Transpose", "Conv"]
    weights = next(tensor for tensor in proto.graph.initializer if tensor.name == "weights")
    assert list(weights.dims) == [4, 1, 3, 3]
    (after,) = ReferenceEvaluator(proto).run(None, {"film": film})
    np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.parametrize(
    "proto",
    [coloured(offset=1.0), coloured(offset=0.0, channels_seen=True), coloured(offset=0.0, channels_given=3)],
    ids=["an offset", "channels that are seen", "channels that differ"],
)
def test_a_graph_that_tells_its_channels_apart_is_left_alone(proto: onnx.ModelProto) -> None:
    before = proto.SerializeToString()
    fold_equal_channels(proto)
    assert proto.SerializeToString() == before
