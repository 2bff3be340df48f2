"""Runs an ONNX file in whatever environment this is started in: ENGINE MODEL.onnx FILMS.npy ANSWERS.npz."""

from __future__ import annotations

import sys

import numpy as np

OUTPUTS = ("probability", "logit", "domain_distance", "heatmap")


def with_onnxruntime(model: str, films: np.ndarray) -> dict[str, np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"image": films}), strict=True))


def with_openvino(model: str, films: np.ndarray) -> dict[str, np.ndarray]:
    import openvino

    # Its CPU plugin takes bfloat16 of itself where the processor has it.
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers = compiled({"image": films})
    return {name: answers[name] for name in OUTPUTS}


if __name__ == "__main__":
    engine, model, films, answers = sys.argv[1:]
    run = {"onnxruntime": with_onnxruntime, "openvino": with_openvino}[engine]
    shown = np.load(films)
    batches = [run(model, shown[start : start + 16]) for start in range(0, len(shown), 16)]
    np.savez(answers, **{name: np.concatenate([batch[name] for batch in batches]) for name in OUTPUTS})
