"""Convert Keras to ONNX, and check a graph against the contract."""

from __future__ import annotations

import gc
import os

import keras
import onnx
import onnx_ir as ir
import tensorflow as tf
import tf2onnx
from onnx import TensorProto

from pneumo_export.errors import GraphError
from pneumo_export.rewrites.names import normalise_names
from pneumo_infer.model.graph import STANDARD_DOMAINS
from pneumo_infer.model.info import HEATMAP_SIDES
from pneumo_train.errors import first_line
from pneumo_train.model.trained import OUTPUTS
from pneumo_train.ood.detector import distance_of

OPSET = 18
# onnxruntime 1.18, the oldest supported version, reads IR versions up to 10; opset 18 needs at least 8.
IR_VERSION = 8
POOLING = ("GlobalAveragePool", "MatMul", "ReduceMean", "ReduceSum")  # MatMul: a head that is applied at each position


def convert(model: keras.Model) -> ir.Model:
    """Convert a model of pneumo-train.

    Returns
    -------
    onnx_ir.Model
        A graph with the input `image`, uint8 (N, 224, 224, 1), and the outputs `logit`, `probability` and
        `domain_distance`, float32 (N,) each, and `heatmap`, float32 (N, S, S). S is the size of the last activations.
    """
    trunk = model.get_layer("trunk")

    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        seen = trunk(tf.cast(image, tf.float32), training=False)
        per_film = {
            "logit": seen["logit"],
            "probability": model.get_layer("probability")(model.get_layer("calibration")(seen["logit"])),
            "domain_distance": distance_of(model, seen["ood_features"]),
        }
        outputs = {name: tf.squeeze(values, axis=1, name=name) for name, values in per_film.items()}
        return {**outputs, "heatmap": tf.identity(seen["heatmap"], name="heatmap")}

    signature = [tf.TensorSpec((None, 224, 224, 1), tf.uint8, name="image")]
    # By default, tf2onnx copies the graph before each of its optimizers, and only warns if one fails.
    os.environ["TF2ONNX_CATCH_ERRORS"] = "FALSE"
    proto: onnx.ModelProto
    proto, _ = tf2onnx.convert.from_function(tf.function(serve, input_signature=signature), signature, opset=OPSET)
    gc.collect()  # its graphs, gigabytes with their weights, are reference cycles
    proto.ir_version = IR_VERSION
    _name_batch_dimension(proto)
    converted = ir.from_proto(proto)
    normalise_names(converted)
    return converted


def check_graph(proto: onnx.ModelProto, name: str, remedy: str) -> None:
    """Check a graph against the contract.

    Parameters
    ----------
    name
        The file name, for error messages.
    remedy
        The last part of the error message.

    Raises
    ------
    GraphError
        The graph is not valid ONNX, has other inputs or outputs, uses non-standard operators, keeps weights in other
        files, or has an opset or IR version that is too new.
    """
    try:
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # the checker and the shape inference raise different classes
        raise GraphError(name, f"not a valid ONNX graph ({first_line(error)})", remedy) from error
    opsets = {entry.domain: entry.version for entry in proto.opset_import}
    problems = [
        f"uses operators of the domain {domain!r}"
        for domain in {node.domain for node in proto.graph.node} - STANDARD_DOMAINS
    ]
    if opsets.get("", 0) > OPSET or proto.ir_version > IR_VERSION:
        problems.append(
            f"has opset {opsets.get('')} and IR version {proto.ir_version}; the limits are {OPSET} and {IR_VERSION}"
        )
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in proto.graph.initializer):
        problems.append("stores weights in external files")
    seen = {value.name: _type(value) for value in (*proto.graph.input, *proto.graph.output)}
    wanted = {
        "image": (TensorProto.UINT8, ("N", 224, 224, 1)),
        "heatmap": (TensorProto.FLOAT, ("N", *_square(seen.get("heatmap")))),
        **dict.fromkeys(OUTPUTS, (TensorProto.FLOAT, ("N",))),
    }
    if seen != wanted:
        problems.append(f"has inputs and outputs {seen}, expected {wanted}")
    if problems:
        raise GraphError(name, "; ".join(problems), remedy)


def heatmap_side(proto: onnx.ModelProto) -> int:
    """Return the height and width of a heatmap, in cells, of a graph that has passed `check_graph`."""
    heatmap = next(value for value in proto.graph.output if value.name == "heatmap")
    return int(heatmap.type.tensor_type.shape.dim[-1].dim_value)


def _square(heatmap: tuple[int, tuple[str | int, ...]] | None) -> tuple[str | int, str | int]:
    """Return the height and width that the contract requires of a heatmap."""
    _, shape = heatmap or (0, ())
    side = shape[-1] if shape else None
    if isinstance(side, int) and side in HEATMAP_SIDES:
        return side, side
    either = f"S from {HEATMAP_SIDES[0]} to {HEATMAP_SIDES[-1]}"
    return either, either


def outside_convolutions(graph: onnx.GraphProto) -> list[str]:
    """List the nodes before the first convolution and those after pooling, which keep full precision.

    Input scaling and the computation of the outputs take little time and are sensitive to rounding.
    """
    convolved: set[str] = set()
    pooled: set[str] = set()
    outside = []
    for node in graph.node:  # in topological order
        if convolved.intersection(node.input) or node.op_type == "Conv":
            convolved.update(node.output)
        if pooled.intersection(node.input) or (node.op_type in POOLING and convolved.intersection(node.input)):
            pooled.update(node.output)
        if not convolved.intersection(node.output) or pooled.intersection(node.output):
            outside.append(node.name)
    return outside


def _name_batch_dimension(proto: onnx.ModelProto) -> None:
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"


def _type(value: onnx.ValueInfoProto) -> tuple[int, tuple[str | int, ...]]:
    tensor = value.type.tensor_type
    return tensor.elem_type, tuple(dim.dim_param or dim.dim_value for dim in tensor.shape.dim)
