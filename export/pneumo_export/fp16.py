"""fp32 to fp16, for GPUs: half the size, and on their tensor cores several times as fast."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

from pneumo_export.graph import outside_convolutions


def halve(fp32: Path, fp16: Path) -> None:
    """Write a version of a graph whose convolutions compute in float16; inputs and outputs keep their types.

    What a film is scaled by and what the answers are made of stays in float32: a variance of grey levels, or a distance
    in which large numbers cancel, does not fit into 11 bits.
    """
    proto = onnx.load(fp32)
    kept = outside_convolutions(proto.graph)
    onnx.save(convert_float_to_float16(proto, keep_io_types=True, node_block_list=kept), fp16)
