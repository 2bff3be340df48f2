"""Constants stored in float16 give the same answers."""

from __future__ import annotations

import numpy as np
from onnx import helper
from small_graphs import answers, rewritten, small_graph

from pneumo_export.rewrites.half_storage import store_in_half


def test_what_float16_can_represent_is_stored_in_half_the_bytes() -> None:
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(512, 1024)).astype(np.float16).astype(np.float32)
    constants = {
        "exact": exact,
        "inexact": rng.normal(size=(1024, 512)).astype(np.float32),
        "beyond": np.full((512, 1024), 1e6, np.float32),
        "small": np.ones((1024, 1), np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "exact"], ["a"]),
        helper.make_node("MatMul", ["a", "inexact"], ["b"]),
        helper.make_node("MatMul", ["b", "beyond"], ["c"]),
        helper.make_node("MatMul", ["c", "small"], ["y"]),
    ]
    proto = small_graph(nodes, {"x": ["N", 512]}, {"y": ["N", 1]}, constants)
    films = rng.normal(size=(3, 512)).astype(np.float32)
    before, size = answers(proto, x=films), proto.ByteSize()
    proto = rewritten(proto, store_in_half)
    assert size - proto.ByteSize() > 0.98 * exact.nbytes / 2
    assert {tensor.name for tensor in proto.graph.initializer} == {"exact.half", "inexact", "beyond", "small"}
    np.testing.assert_allclose(answers(proto, x=films)["y"], before["y"], rtol=1e-5)
