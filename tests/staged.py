"""Files that were made but not yet proved, and ways to spoil them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from pneumo_export.parity.proof import ParityFilms
from pneumo_train.model.trained import TrainedModel


@dataclass(frozen=True)
class Staged:
    """Files that were made but not yet proved."""

    source: TrainedModel
    films: ParityFilms
    folder: Path
    files: dict[str, Path]


def tamper(file: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    """Change a graph where it lies."""
    proto = onnx.load(file)
    change(proto)
    onnx.save(proto, file)


def scale_largest_weights(proto: onnx.ModelProto, factor: float) -> None:
    """Multiply the largest tensor of weights."""
    tensor = max(
        (t for t in proto.graph.initializer if t.data_type == onnx.TensorProto.FLOAT), key=lambda t: np.prod(t.dims)
    )
    weights = numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array((weights * factor).astype(np.float32), tensor.name))
