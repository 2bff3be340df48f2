"""Convert fp32 to int8 by static quantisation, calibrated on training films."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import RemoveUnusedOpsetsPass
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import load_tensors_data, save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process

from pneumo_export.convert import outside_convolutions
from pneumo_export.parity.run_onnx import run_output
from pneumo_export.precisions.ranges import write_ranges
from pneumo_export.rewrites.cpu_layout import arrange_for_cpu
from pneumo_export.rewrites.integer_means import sum_integers
from pneumo_export.rewrites.names import normalise_names
from pneumo_export.rewrites.shortcuts import join_shortcuts, match_ranges
from pneumo_export.rewrites.values import inputs_of, node_of
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
    model = ir.load(fp32)
    if choice.rearranged:
        arrange_for_cpu(model)
    ir.save(model, prepared)
    quant_pre_process(str(prepared), str(prepared), skip_symbolic_shape=True)
    model = ir.load(prepared)
    # Only now, because quant_pre_process has merged batch normalisation into the convolutions.
    if choice.rearranged:
        join_shortcuts(model)
    normalise_names(model)
    ir.save(model, prepared)
    write_ranges(prepared, ranges, films, QUANTISED_OPERATORS, METHODS[choice.method], choice.percentile)
    if choice.rearranged:
        measured = load_tensors_data(ranges)
        match_ranges(model, measured)
        ir.save(model, prepared)
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
    model = ir.load(int8)
    if choice.rearranged:
        sum_integers(model)
    if choice.correct_bias:
        shift = (run_output(fp32, "logit", films) - run_output(int8, "logit", films)).mean()
        _correct_logit_bias(model, float(shift))
    RemoveUnusedOpsetsPass()(model)  # onnxruntime imports domains that it does not use
    _sort_attributes(model)
    ir.save(model, int8)


def _correct_logit_bias(model: ir.Model, shift: float) -> None:
    """Correct the logit by the mean change that quantisation causes.

    Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, here applied to
    the last layer only.
    """
    graph = model.graph
    logit = next(output for output in graph.outputs if output.name == "logit")
    before = inputs_of(node_of(logit))[0]  # the input of the probability, too
    bias = ir.Value(name="logit.bias", const_value=ir.tensor(np.array([shift], np.float32), name="logit.bias"))
    graph.register_initializer(bias)
    add = ir.node("Add", [before, bias], name="logit.correct_bias")
    before.replace_all_uses_with(add.outputs[0])
    add.replace_input_with(0, before)
    graph.insert_after(node_of(before), add)


def _sort_attributes(model: ir.Model) -> None:
    """Sort the attributes of each node by name, because onnxruntime's order depends on its version."""
    for node in model.graph:
        by_name = sorted(node.attributes.items())
        node.attributes.clear()
        node.attributes.update(by_name)
