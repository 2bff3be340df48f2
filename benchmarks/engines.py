"""The same network in other engines, each as a function of one film.

Films are uint8 (1, 224, 224, 1). Engines run with their defaults, except for what their documentation recommends for
low latency.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pneumo_infer.films.raster import Film
from pneumo_infer.model.info import OUTPUTS
from pneumo_infer.model.session import open_session

Engine = Callable[[np.ndarray], Any]
ONE_AT_A_TIME = {"PERFORMANCE_HINT": "LATENCY"}
OURS = "ours"
INT8_PEERS = ("OpenVINO, int8 by NNCF", "OpenVINO, int8 by NNCF, ranges by histogram")
IN_FLOAT32 = {**ONE_AT_A_TIME, "INFERENCE_PRECISION_HINT": "f32"}


def ours() -> Engine:
    """Return the packaged int8 file in a session like that of `Classifier`, with all outputs, the probability first."""
    session = open_session(None, "cpu").session
    outputs = ["probability", *(name for name in OUTPUTS if name != "probability")]
    return lambda film: session.run(outputs, {"image": film})


def with_keras(model: Any) -> dict[str, Engine]:
    """Return Keras' `predict`, and the model as one TensorFlow graph."""
    import tensorflow as tf

    signature = [tf.TensorSpec((1, 224, 224, 1), tf.uint8)]
    graph = tf.function(lambda film: model(film, training=False), input_signature=signature)
    return {
        "Keras predict, fp32": lambda film: model.predict(film, verbose=0),
        "TensorFlow graph, fp32": lambda film: graph(film)["probability"].numpy(),
    }


def with_onnxruntime(fp32: Path) -> dict[str, Engine]:
    """Return the fp32 file in onnxruntime with its defaults."""
    import onnxruntime

    session = onnxruntime.InferenceSession(fp32, providers=["CPUExecutionProvider"])
    return {"onnxruntime, fp32": lambda film: session.run(["probability"], {"image": film})}


def quantise_with_nncf(fp32: Path, calibration: Film, folder: Path) -> None:
    """Quantise with NNCF for OpenVINO in two ways, and write the files for `with_nncf`.

    Parameters
    ----------
    calibration
        uint8 (M, 224, 224, 1), the training films on which the ranges of activations are measured.
    folder
        The folder to write to.
    """
    import nncf
    import openvino

    films = nncf.Dataset([film[None] for film in calibration], lambda film: {"image": film})
    by_histogram = nncf.AdvancedQuantizationParameters(
        activations_range_estimator_params=nncf.quantization.range_estimator.RangeEstimatorParametersSet.HISTOGRAM
    )
    for name, advanced in zip(INT8_PEERS, (None, by_histogram), strict=True):
        quantised = nncf.quantize(
            _read_single_film_model(fp32),
            films,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            advanced_parameters=advanced,
        )
        openvino.save_model(quantised, folder / f"{name}.xml", compress_to_fp16=False)


def with_nncf(folder: Path) -> dict[str, Engine]:
    """Return the files of `quantise_with_nncf` in OpenVINO."""
    import openvino

    core = openvino.Core()
    return {name: _as_engine(core.compile_model(folder / f"{name}.xml", "CPU", ONE_AT_A_TIME)) for name in INT8_PEERS}


def with_openvino(fp32: Path) -> dict[str, Engine]:
    """Return OpenVINO in fp32, and in the precision that it chooses by default."""
    import openvino

    core, model = openvino.Core(), _read_single_film_model(fp32)
    return {
        "OpenVINO, fp32": _as_engine(core.compile_model(model, "CPU", IN_FLOAT32)),
        "OpenVINO, default precision": _as_engine(core.compile_model(model, "CPU", ONE_AT_A_TIME)),
    }


def _read_single_film_model(fp32: Path) -> Any:
    import openvino

    model = openvino.Core().read_model(fp32)
    model.reshape([1, 224, 224, 1])
    return model


def _as_engine(compiled: Any) -> Engine:
    return lambda film: compiled({"image": film})["probability"]


def with_torch() -> dict[str, Engine]:
    """Return a ResNet50 in PyTorch. Its weights are random, which does not affect its speed."""
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = ResNetForImageClassification(ResNetConfig(num_labels=1)).eval().to(memory_format=torch.channels_last)

    def read(film: np.ndarray) -> object:
        grey = torch.from_numpy(film).permute(0, 3, 1, 2).float()
        return network(grey.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)).logits.numpy()

    return {"PyTorch, fp32, channels_last": torch.inference_mode()(read)}
