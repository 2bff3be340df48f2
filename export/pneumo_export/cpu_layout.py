"""The same sums in an order that a processor is quicker at.

`python -m benchmarks.int8_search` measures it.
"""

from __future__ import annotations

import onnx

from pneumo_export.edits import constants_of, drop_unread, shapes_of
from pneumo_export.first_layers import (
    convolve_quarters,
    cut_before_casting,
    pad_within_convolution,
    pad_within_pools,
    reshape_single_channels,
    widen_means,
)
from pneumo_export.heads import ask_each_place


def arrange_for_cpu(proto: onnx.ModelProto) -> None:
    """Rearrange what onnxruntime's CPU kernels are slow at: the film's way in, and the answers' way out."""
    graph = proto.graph
    constants = constants_of(graph)
    cut_before_casting(graph)
    pad_within_convolution(graph, constants)
    pad_within_pools(graph, constants)
    ask_each_place(graph, shapes_of(proto), constants)
    drop_unread(graph)
    del graph.value_info[:]  # shapes of what is no longer there
    shapes = shapes_of(proto)
    widen_means(graph, shapes, constants)
    convolve_quarters(graph, shapes, constants)
    reshape_single_channels(graph, shapes)
    drop_unread(graph)
