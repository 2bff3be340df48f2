"""Means of quantised maps are the same when they are added up as integers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper
from small_graphs import answers, operators, rewritten, small_graph
from staged import Staged

from pneumo_export.rewrites.integer_means import sum_integers

MAPS = np.random.default_rng(3).normal(size=(2, 5, 4, 3)).astype(np.float32)


@pytest.mark.parametrize(("zero", "axes"), [(0, [2, 3]), (131, [2, 3]), (131, [2])])
def test_means_of_quantised_maps_are_added_up_as_integers(zero: int, axes: list[int]) -> None:
    constants = {"scale": np.array(0.03, np.float32), "zero": np.array(zero, np.uint8), "axes": np.array(axes)}
    nodes = [
        helper.make_node("QuantizeLinear", ["maps", "scale", "zero"], ["integers"]),
        helper.make_node("DequantizeLinear", ["integers", "scale", "zero"], ["floats"]),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], name="means", keepdims=0),
        helper.make_node("Relu", ["floats"], ["also"]),
    ]
    means: list[int | str] = ["N", 5, 3][: 4 - len(axes)]
    proto = small_graph(nodes, {"maps": ["N", 5, 4, 3]}, {"means": means, "also": ["N", 5, 4, 3]}, constants)
    before = answers(proto, maps=MAPS)["means"]
    proto = rewritten(proto, sum_integers)
    assert ("MatMulInteger" in operators(proto)) == (axes == [2, 3])
    np.testing.assert_allclose(answers(proto, maps=MAPS)["means"], before, rtol=1e-5, atol=1e-6)


def test_the_int8_file_is_arranged_and_its_settings_lie_by_name(made: Staged) -> None:
    proto = onnx.load(made.files["int8"])
    assert {"MatMulInteger", "Concat"} <= set(operators(proto))
    for node in proto.graph.node:
        names = [entry.name for entry in node.attribute]
        assert names == sorted(names)
