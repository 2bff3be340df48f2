"""The same file gives the same answers wherever it is run."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import elsewhere
import numpy as np
import pytest
from made_films import SHARED_FILMS, draw_film
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from pneumo_infer import Classifier
from pneumo_infer.films.preprocess import read_pixels
from pneumo_infer.model.info import packaged_models

# The oldest that pyproject.toml allows, the newest there is, and an engine of other people.
ENVIRONMENTS = {
    "onnxruntime==1.18.0": ["onnxruntime==1.18.0", "numpy<2"],
    "onnxruntime": ["onnxruntime"],
    "openvino": ["openvino"],
}
FILMS = 200


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    real = sorted(SHARED_FILMS.glob("chest_xray/train/*/*.jpeg"))
    chosen = [real[place] for place in np.linspace(0, len(real) - 1, FILMS).astype(int)] if real else []
    pixels = [read_pixels(path) for path in chosen] or [
        read_pixels(draw_film(seed, pneumonia=seed % 2 == 0)) for seed in range(FILMS)
    ]
    path = tmp_path_factory.mktemp("films") / "films.npy"
    np.save(path, np.stack(pixels)[..., None])
    return path


@pytest.fixture(scope="module", params=sorted(ENVIRONMENTS))
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    interpreter = folder / "bin" / "python"
    command = [interpreter, "-m", "pip", "install", "--quiet", *ENVIRONMENTS[request.param]]
    subprocess.run(command, check=True, capture_output=True)
    return request.param.partition("=")[0], interpreter


def answer(python: tuple[str, Path], model: Path, films: Path) -> dict[str, NDArray[np.float32]]:
    engine, interpreter = python
    answers = films.with_name(f"{model.stem}.npz")
    command = [interpreter, elsewhere.__file__, engine, model, films, answers]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(np.load(answers))


def test_fp32_answers_alike(python: tuple[str, Path], exported: Path, films: Path) -> None:
    model = exported / "pneumo-resnet50-fp32.onnx"
    here = elsewhere.with_onnxruntime(str(model), np.load(films)[:32])
    few = films.with_name("few.npy")
    np.save(few, np.load(films)[:32])
    there = answer(python, model, few)
    np.testing.assert_allclose(there["probability"], here["probability"], atol=1e-4)
    np.testing.assert_allclose(there["domain_distance"], here["domain_distance"], rtol=1e-3)
    np.testing.assert_allclose(there["heatmap"], here["heatmap"], rtol=1e-2, atol=1e-4 * here["heatmap"].max())


def test_int8_decides_alike(python: tuple[str, Path], films: Path) -> None:
    classifier = Classifier(device="cpu")
    here = [p.label == "PNEUMONIA" for p in classifier.predict_many(list(np.load(films)[..., 0]))]
    there = answer(python, packaged_models()["cpu"], films)["probability"] >= classifier.threshold
    assert np.mean(there == here) >= 0.995


def test_the_reference_implementation_answers_alike(exported: Path, films: Path) -> None:
    model = exported / "pneumo-resnet50-fp32.onnx"
    film = np.load(films)[:1]
    here = elsewhere.with_onnxruntime(str(model), film)
    there = ReferenceEvaluator(str(model)).run(["probability", "domain_distance"], {"image": film})
    np.testing.assert_allclose(there[0], here["probability"], atol=1e-4)
    np.testing.assert_allclose(there[1], here["domain_distance"], rtol=1e-3)
