"""The same network in the engines that a user would pick instead, each as a function of one film.

Films are uint8 (1, 224, 224, 1); what comes back is looked at by nobody. Every engine is left to its own defaults but
for what its documentation advises for one film at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pneumo_infer.images import Film
from pneumo_infer.model import OUTPUTS, packaged_models
from pneumo_infer.session import open_session

Engine = Callable[[np.ndarray], Any]
ONE_AT_A_TIME = {"PERFORMANCE_HINT": "LATENCY"}
INT8_PEERS = ("OpenVINO, int8 by NNCF", "OpenVINO, int8 by NNCF, ranges by histogram")
IN_FLOAT32 = {**ONE_AT_A_TIME, "INFERENCE_PRECISION_HINT": "f32"}


def ours() -> Engine:
    """The int8 file that ships, in the session that `Classifier` opens; all of its outputs, the probability first."""
    session, _ = open_session(packaged_models()["cpu"], "cpu")
    outputs = ["probability", *(name for name in OUTPUTS if name != "probability")]
    return lambda film: session.run(outputs, {"image": film})


def with_keras(model: Any) -> dict[str, Engine]:
    """Keras' own `predict`, and the model as one TensorFlow graph."""
    import tensorflow as tf

    signature = [tf.TensorSpec((1, 224, 224, 1), tf.uint8)]
    graph = tf.function(lambda film: model(film, training=False), input_signature=signature)
    return {
        "Keras predict, fp32": lambda film: model.predict(film, verbose=0),
        "TensorFlow graph, fp32": lambda film: graph(film)["probability"].numpy(),
    }


def with_onnxruntime(fp32: Path) -> dict[str, Engine]:
    """The fp32 file in onnxruntime, as it comes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(fp32, providers=["CPUExecutionProvider"])
    return {"onnxruntime, fp32": lambda film: session.run(["probability"], {"image": film})}


def with_openvino(fp32: Path, calibration: Film) -> dict[str, Engine]:
    """OpenVINO in fp32, in the precision that it takes by itself, and in int8 as NNCF makes it in two ways.

    Parameters
    ----------
    calibration
        uint8 (M, 224, 224, 1), the training films that int8's ranges are measured on.
    """
    import nncf
    import openvino

    core = openvino.Core()
    model = core.read_model(fp32)
    model.reshape([1, 224, 224, 1])
    films = nncf.Dataset([film[None] for film in calibration], lambda film: {"image": film})
    by_histogram = nncf.AdvancedQuantizationParameters(
        activations_range_estimator_params=nncf.quantization.range_estimator.RangeEstimatorParametersSet.HISTOGRAM
    )
    quantise = partial(nncf.quantize, preset=nncf.QuantizationPreset.MIXED, subset_size=len(calibration))
    compiled = {
        "OpenVINO, fp32": core.compile_model(model, "CPU", IN_FLOAT32),
        "OpenVINO, its own precision": core.compile_model(model, "CPU", ONE_AT_A_TIME),
        INT8_PEERS[0]: core.compile_model(quantise(model, films), "CPU", ONE_AT_A_TIME),
        INT8_PEERS[1]: core.compile_model(
            quantise(model, films, advanced_parameters=by_histogram), "CPU", ONE_AT_A_TIME
        ),
    }
    return {name: _asking(run) for name, run in compiled.items()}


def _asking(compiled: Any) -> Engine:
    return lambda film: compiled({"image": film})["probability"]


def with_torch() -> dict[str, Engine]:
    """A ResNet50 of PyTorch with random weights, whose speed does not depend on them."""
    import torch
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = ResNetForImageClassification(ResNetConfig(num_labels=1)).eval().to(memory_format=torch.channels_last)

    def read(film: np.ndarray) -> object:
        grey = torch.from_numpy(film).permute(0, 3, 1, 2).float()
        return network(grey.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)).logits.numpy()

    return {"PyTorch, fp32, channels_last": torch.inference_mode()(read)}
