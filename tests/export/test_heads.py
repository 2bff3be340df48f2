"""Heads in fewer steps say the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from small_graphs import answers, operators, small_graph
from staged import Staged

from pneumo_export.cpu_layout import arrange_for_cpu
from pneumo_export.heads import add_up_integers

MAPS = np.random.default_rng(3).normal(size=(2, 5, 4, 3)).astype(np.float32)


def head(logits: int = 1, *, hidden: bool = False) -> onnx.ModelProto:
    """A dense head on the mean of maps, and Grad-CAM with the head's gradient worked out for each film."""
    rng = np.random.default_rng(0)
    constants = {
        "places": np.array([1, 2]),
        "last": np.array([3]),
        "column": np.array([1]),
        "sides": np.array([-1, 1, 1, 3]),
        "w": rng.normal(size=(3, logits)).astype(np.float32),
        "b": rng.normal(size=logits).astype(np.float32),
        "turned": rng.normal(size=(logits, 3)).astype(np.float32),
        "places.count": np.array(20, np.float32),
        "square": rng.normal(size=(3, 3)).astype(np.float32),
    }
    constants["turned"] = constants["w"].T.copy()
    nodes = [
        helper.make_node("ReduceMean", ["maps", "places"], ["features"], name="features", keepdims=0),
        helper.make_node("MatMul", ["features", "square"], ["hidden"], name="hidden"),
        helper.make_node("MatMul", ["hidden" if hidden else "features", "w"], ["said"], name="head"),
        helper.make_node("Add", ["said", "b"], ["answer"], name="answer"),
        helper.make_node("ReduceMax", ["answer", "column"], ["logit"], keepdims=0)
        if logits > 1
        else helper.make_node("Squeeze", ["answer", "column"], ["logit"]),
        helper.make_node("Shape", ["answer"], ["shape"]),
        helper.make_node(
            "ConstantOfShape", ["shape"], ["ones"], value=helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
        ),
        helper.make_node("MatMul", ["ones", "turned"], ["gradient"]),
        helper.make_node("Div", ["gradient", "places.count"], ["share"]),
        helper.make_node("Reshape", ["share", "sides"], ["shares"]),
        helper.make_node("Mul", ["maps", "shares"], ["weighed"]),
        helper.make_node("ReduceSum", ["weighed", "last"], ["evidence"], keepdims=0),
        helper.make_node("Relu", ["evidence"], ["heatmap"], name="heatmap"),
    ]
    outputs: dict[str, list[int | str]] = {"logit": ["N"], "heatmap": ["N", 5, 4]}
    return small_graph(nodes, {"maps": ["N", 5, 4, 3]}, outputs, constants)


def test_a_linear_head_is_asked_at_each_place() -> None:
    proto = head()
    before = answers(proto, maps=MAPS)
    assert before["heatmap"].any()
    arrange_for_cpu(proto)
    assert operators(proto) == ["MatMul", "ReduceMean", "Add", "Squeeze", "Squeeze", "Mul", "Relu"]
    after = answers(proto, maps=MAPS)
    np.testing.assert_allclose(after["logit"], before["logit"], rtol=1e-5)
    np.testing.assert_allclose(after["heatmap"], before["heatmap"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("proto", [head(2), head(hidden=True)], ids=["two classes", "a hidden layer"])
def test_another_head_is_asked_once(proto: onnx.ModelProto) -> None:
    before = answers(proto, maps=MAPS)
    arrange_for_cpu(proto)
    assert "ConstantOfShape" in operators(proto)
    for name, values in answers(proto, maps=MAPS).items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize(("zero", "axes"), [(0, [2, 3]), (131, [2, 3]), (131, [2])])
def test_means_of_quantised_maps_are_added_up_as_integers(zero: int, axes: list[int]) -> None:
    constants = {"scale": np.array(0.03, np.float32), "zero": np.array(zero, np.uint8), "axes": np.array(axes)}
    nodes = [
        helper.make_node("QuantizeLinear", ["maps", "scale", "zero"], ["integers"]),
        helper.make_node("DequantizeLinear", ["integers", "scale", "zero"], ["floats"]),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], name="means", keepdims=0),
    ]
    means: list[int | str] = ["N", 5, 3][: 4 - len(axes)]
    proto = small_graph(nodes, {"maps": ["N", 5, 4, 3]}, {"means": means}, constants)
    before = answers(proto, maps=MAPS)["means"]
    add_up_integers(proto)
    assert ("MatMulInteger" in operators(proto)) == (axes == [2, 3])
    np.testing.assert_allclose(answers(proto, maps=MAPS)["means"], before, rtol=1e-5, atol=1e-6)


def test_the_int8_file_is_arranged_and_its_settings_lie_by_name(made: Staged) -> None:
    proto = onnx.load(made.files["int8"])
    assert {"MatMulInteger", "Concat"} <= set(operators(proto))
    assert "ConstantOfShape" not in operators(proto)
    for node in proto.graph.node:
        names = [entry.name for entry in node.attribute]
        assert names == sorted(names)
