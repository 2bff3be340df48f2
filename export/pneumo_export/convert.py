"""Keras to ONNX, and what the graph must look like before anyone trusts it."""

from __future__ import annotations

import keras
import onnx
import tensorflow as tf
import tf2onnx
from onnx import TensorProto

from pneumo_export.errors import GraphError
from pneumo_export.rewrites.names import normalise_names
from pneumo_infer.model.info import HEATMAP_SIDES
from pneumo_train.model.trained import OUTPUTS
from pneumo_train.ood.detector import distance_of

OPSET = 18
# The oldest supported onnxruntime, 1.18, reads intermediate representations up to 10; opset 18 needs 8.
IR_VERSION = 8
STANDARD_DOMAINS = {"", "ai.onnx"}
POOLING = ("GlobalAveragePool", "MatMul", "ReduceMean", "ReduceSum")  # or a head that is asked at each place


def convert(model: keras.Model) -> onnx.ModelProto:
    """Convert a model of pneumo-train.

    The graph takes `image`, uint8 (N, 224, 224, 1), and gives `logit`, `probability` and `domain_distance`, float32
    (N,) each, and `heatmap`, float32 (N, S, S), as many cells as the last activations have.
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
    proto: onnx.ModelProto
    proto, _ = tf2onnx.convert.from_function(tf.function(serve, input_signature=signature), signature, opset=OPSET)
    proto.ir_version = IR_VERSION
    _name_batch_dimension(proto)
    normalise_names(proto)
    return proto


def check_graph(proto: onnx.ModelProto, name: str) -> None:
    """Hold a graph against the contract.

    Raises
    ------
    GraphError
        It is not valid ONNX, has other inputs or outputs, needs operators beyond the standard's, or is too new.
    """
    try:
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # the checker and the shape inference raise different classes
        raise GraphError(
            name, f"is no valid ONNX graph ({str(error).splitlines()[0]})", "report this as a bug"
        ) from error
    opsets = {entry.domain: entry.version for entry in proto.opset_import}
    problems = [
        f"needs the operators of {domain!r}" for domain in {node.domain for node in proto.graph.node} - STANDARD_DOMAINS
    ]
    if opsets.get("", 0) > OPSET or proto.ir_version > IR_VERSION:
        problems.append(f"has opset {opsets.get('')} and IR {proto.ir_version}, beyond {OPSET} and {IR_VERSION}")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in proto.graph.initializer):
        problems.append("keeps weights in other files")
    seen = {value.name: _type(value) for value in (*proto.graph.input, *proto.graph.output)}
    wanted = {
        "image": (TensorProto.UINT8, ("N", 224, 224, 1)),
        "heatmap": (TensorProto.FLOAT, ("N", *_square(seen.get("heatmap")))),
        **dict.fromkeys(OUTPUTS, (TensorProto.FLOAT, ("N",))),
    }
    if seen != wanted:
        problems.append(f"takes and gives {seen}, not {wanted}")
    if problems:
        raise GraphError(name, "; ".join(problems), "convert the model again with the pinned versions")


def heatmap_side(proto: onnx.ModelProto) -> int:
    """How many cells a heatmap has along a side, in a graph that `check_graph` found to be right."""
    heatmap = next(value for value in proto.graph.output if value.name == "heatmap")
    return int(heatmap.type.tensor_type.shape.dim[-1].dim_value)


def _square(heatmap: tuple[int, tuple[str | int, ...]] | None) -> tuple[str | int, str | int]:
    """The two sides that the contract allows a heatmap like this one."""
    _, shape = heatmap or (0, ())
    side = shape[-1] if shape else None
    if isinstance(side, int) and side in HEATMAP_SIDES:
        return side, side
    either = f"S from {HEATMAP_SIDES[0]} to {HEATMAP_SIDES[-1]}"
    return either, either


def outside_convolutions(graph: onnx.GraphProto) -> list[str]:
    """Name the nodes that come before the first convolution, or after the maps of one have been pooled.

    What a film is scaled by, and what the answers are made of, is little work and needs every digit.
    """
    convolved: set[str] = set()
    pooled: set[str] = set()
    outside = []
    for node in graph.node:  # in an order in which each node follows its inputs
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
