"""Convert fp32 to int8 by static quantisation, calibrated on training films."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import load_tensors_data, save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process

from pneumo_export.convert import outside_convolutions
from pneumo_export.parity.run_onnx import run_output
from pneumo_export.precisions.ranges import write_ranges
from pneumo_export.rewrites.cpu_layout import arrange_for_cpu
from pneumo_export.rewrites.edits import producers_of, set_constant
from pneumo_export.rewrites.integer_means import add_up_integers
from pneumo_export.rewrites.shortcuts import join_shortcuts, match_ranges
from pneumo_infer.films.raster import Film

# Convolutions have nearly all weights and take nearly all time. The layers after them are sensitive to rounding.
QUANTISED_OPERATORS = ["Conv", "Add", "Concat", "MaxPool", "Pad", "Relu"]


@dataclass(frozen=True, slots=True)
class Quantisation:
    """Settings of the quantisation. `python -m benchmarks.int8_search` compares them.

    Attributes
    ----------
    films
        Number of training films on which the ranges of activations are measured.
    method
        Calibration method: `percentile`, `minmax` or `entropy`.
    percentile
        Percentile of the magnitudes that a range covers, for `percentile`. Covering the few outliers would make the
        quantisation steps of all other values coarser.
    per_channel
        Whether each channel of a convolution has its own scale.
    weight_bits
        With 7, sums cannot saturate on x86 processors without VNNI, so all processors give the same results.
    float_convolutions
        Number of convolutions, from the first, that stay in float; the first 10 are conv1 and conv2.
    correct_bias
        Whether the logit is corrected by the mean change that quantisation causes.
    rearranged
        Whether the graph is first rearranged for CPUs.
    """

    films: int = 512
    method: Literal["percentile", "minmax", "entropy"] = "percentile"
    percentile: float = 99.99
    per_channel: bool = True
    weight_bits: Literal[7, 8] = 7
    float_convolutions: int = 0
    correct_bias: bool = True
    rearranged: bool = True


CHOSEN = Quantisation()
METHODS = {
    "percentile": CalibrationMethod.Percentile,
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
}


def choose_calibration_rows(rows: NDArray[np.intp], seed: int, films: int = CHOSEN.films) -> NDArray[np.intp]:
    """Draw the training films on which the ranges of activations are measured.

    Parameters
    ----------
    rows
        int (N,), the rows of the training films.
    films
        How many to draw.

    Returns
    -------
    ndarray
        int (M,), sorted; all of `rows` if there are fewer than `films`.
    """
    drawn = np.random.default_rng(seed).permutation(rows)[:films]
    return np.sort(drawn)


def quantise(fp32: Path, int8: Path, films: Film, choice: Quantisation = CHOSEN) -> None:
    """Write an int8 version of a graph, in QDQ format with uint8 activations and int8 weights.

    Parameters
    ----------
    fp32, int8
        The file to read and the file to write.
    films
        uint8 (M, 224, 224, 1), training films.
    """
    prepared, ranges = int8.with_suffix(".prepared.onnx"), int8.with_suffix(".ranges.json")
    try:
        prepare(fp32, prepared, ranges, films, choice)
        quantise_prepared(prepared, ranges, fp32, int8, films, choice)
    finally:
        prepared.unlink(missing_ok=True)
        ranges.unlink(missing_ok=True)


def prepare(fp32: Path, prepared: Path, ranges: Path, films: Film, choice: Quantisation) -> None:
    """Write the graph to quantise and the ranges of its activations. This takes most of the time.

    Depends only on `method`, `percentile` and `rearranged` of the settings, and on the films.

    Parameters
    ----------
    fp32
        The file to read.
    prepared, ranges
        The ONNX file and the JSON file to write.
    films
        uint8 (M, 224, 224, 1), training films.
    """
    proto = onnx.load(fp32)
    if choice.rearranged:
        arrange_for_cpu(proto)
    onnx.save(proto, prepared)
    quant_pre_process(str(prepared), str(prepared), skip_symbolic_shape=True)
    proto = onnx.load(prepared)
    # Only now, because quant_pre_process has merged batch normalisation into the convolutions.
    joined = join_shortcuts(proto.graph) if choice.rearranged else []
    onnx.save(proto, prepared)
    write_ranges(prepared, ranges, films, QUANTISED_OPERATORS, METHODS[choice.method], choice.percentile)
    measured = load_tensors_data(ranges)
    match_ranges(proto.graph, measured, joined)
    onnx.save(proto, prepared)
    save_tensors_data(measured, ranges)


def quantise_prepared(
    prepared: Path, ranges: Path, fp32: Path, int8: Path, films: Film, choice: Quantisation = CHOSEN
) -> None:
    """Write an int8 version of a graph that `prepare` wrote with the same films and settings."""
    graph = onnx.load(prepared).graph
    convolutions = [node.name for node in graph.node if node.op_type == "Conv"]
    kept = [*convolutions[: choice.float_convolutions], *outside_convolutions(graph)]
    quantize_static(
        str(prepared),
        str(int8),
        None,
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=QUANTISED_OPERATORS,
        nodes_to_exclude=kept,
        per_channel=choice.per_channel,
        reduce_range=choice.weight_bits == 7,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=METHODS[choice.method],
        calibration_cache_path=ranges,
    )
    proto = onnx.load(int8)
    if choice.rearranged:
        add_up_integers(proto)
    if choice.correct_bias:
        shift = (run_output(fp32, "logit", films) - run_output(int8, "logit", films)).mean()
        _correct_logit_bias(proto, float(shift))
    _drop_unused_domains(proto)
    _sort_attributes(proto)
    onnx.save(proto, int8)


def _correct_logit_bias(proto: onnx.ModelProto, shift: float) -> None:
    """Correct the logit by the mean change that quantisation causes.

    Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, here applied to
    the last layer only.
    """
    graph = proto.graph
    squeeze = producers_of(graph)["logit"]  # its input is the input of the probability, too
    before, corrected = squeeze.input[0], f"{squeeze.input[0]}.corrected"
    bias = set_constant(graph, f"{squeeze.name}.bias", np.array([shift], np.float32))
    for node in graph.node:
        node.input[:] = [corrected if name == before else name for name in node.input]
    producer = producers_of(graph)[before]
    position = list(graph.node).index(producer) + 1
    graph.node.insert(position, helper.make_node("Add", [before, bias], [corrected], name=f"{squeeze.name}.correct"))


def _drop_unused_domains(proto: onnx.ModelProto) -> None:
    """Remove the operator domains that onnxruntime's quantisation tool imports without using them."""
    used = {node.domain for node in proto.graph.node}
    kept = [entry for entry in proto.opset_import if entry.domain in used or entry.domain == ""]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)


def _sort_attributes(proto: onnx.ModelProto) -> None:
    """Sort the attributes of each node by name, because onnxruntime's order depends on its version."""
    for node in proto.graph.node:
        by_name = sorted(
            (onnx.AttributeProto.FromString(entry.SerializeToString()) for entry in node.attribute),
            key=lambda entry: entry.name,
        )
        del node.attribute[:]
        node.attribute.extend(by_name)
