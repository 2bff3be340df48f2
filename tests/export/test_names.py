"""Names that are the same each time."""

from __future__ import annotations

import onnx
import onnx_ir as ir
from onnx import TensorProto, helper
from small_graphs import rewritten
from staged import Staged

from pneumo_export.convert import convert
from pneumo_export.rewrites.names import normalise_names


def test_names_are_unique_and_settled_once_and_for_all() -> None:
    names = ["functional_3/scale/mul_1", "scale/mul_1__7", "scale/mul", "scale/mul#2", ""]
    nodes = [helper.make_node("Neg", [f"t{i}"], [f"t{i + 1}"], name=name) for i, name in enumerate(names)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("t0", f"t{len(names)}")]
    proto = helper.make_model(helper.make_graph(nodes, "chain", ends[:1], ends[1:]))
    proto = rewritten(proto, normalise_names)
    assert [node.name for node in proto.graph.node] == ["scale/mul", "scale/mul#2", "scale/mul#3", "scale/mul#4", "Neg"]
    onnx.checker.check_model(proto)
    once = proto.SerializeToString()
    proto = rewritten(proto, normalise_names)
    assert proto.SerializeToString() == once


def test_one_model_gives_one_file(made: Staged) -> None:
    before = onnx.load(made.files["fp32"])
    again = ir.to_proto(convert(made.source.keras_model))
    assert [node.name for node in again.graph.node] == [node.name for node in before.graph.node]
    assert again.graph.SerializeToString() == before.graph.SerializeToString()


def test_of_equal_transpositions_it_does_not_matter_which_is_left() -> None:
    def chain(survivor: str) -> bytes:
        nodes = [
            helper.make_node("Relu", ["t0"], ["t1"], name="stem/Relu"),
            helper.make_node("Transpose", ["t1"], ["t2"], name=f"{survivor}/BiasAdd", perm=[1, 0]),
            helper.make_node("Neg", ["t2"], ["t3"], name="left/BiasAdd"),
            helper.make_node("Abs", ["t2"], ["t4"], name="right/BiasAdd"),
            helper.make_node("Add", ["t3", "t4"], ["t5"], name="sum/Add"),
        ]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1]) for name in ("t0", "t5")]
        proto = helper.make_model(helper.make_graph(nodes, "chain", ends[:1], ends[1:]))
        proto = rewritten(proto, normalise_names)
        once = proto.SerializeToString()
        proto = rewritten(proto, normalise_names)
        assert proto.SerializeToString() == once
        return once

    assert chain("left") == chain("right")
