"""The packaged fp16 model on an NVIDIA GPU, compared with the CPU."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
from made_films import draw_film
from numpy.typing import NDArray

from pneumo_infer import Classifier, DeviceError, Prediction
from pneumo_infer.model.info import packaged_models
from pneumo_infer.model.session import CUDA, load_onnxruntime

NO_GPU = not Path("/proc/driver/nvidia").exists() or CUDA not in load_onnxruntime().get_available_providers()
Films = list[NDArray[np.uint8]]
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(NO_GPU, reason="needs an NVIDIA GPU and the extra gpu")]


@pytest.fixture(scope="module")
def films() -> Films:
    return [draw_film(seed, pneumonia=seed % 2 == 0) for seed in range(300)]


@pytest.fixture(scope="module")
def on_gpu() -> Classifier:
    return Classifier(device="cuda")


@pytest.fixture(scope="module")
def expected(films: Films) -> list[Prediction]:
    return list(Classifier(packaged_models()["cuda"], device="cpu").predict_many(films))


def used_memory() -> int:
    """Memory of the GPU in use, in MiB."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0])


def test_the_session_runs_on_the_gpu(on_gpu: Classifier, films: Films) -> None:
    assert on_gpu.device == "cuda"
    assert on_gpu.providers[0] == CUDA
    assert on_gpu.predict(films[0]).device == "cuda"


def test_auto_chooses_the_gpu_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Classifier().device == "cuda"


@pytest.mark.parametrize("batch_size", [1, 2, 7, 16, 64])
def test_answers_are_those_of_the_cpu(
    on_gpu: Classifier, films: Films, expected: list[Prediction], batch_size: int
) -> None:
    count = 40 if batch_size < 16 else len(films)  # 300 films end in a shorter batch of 16 and of 64
    for found, wanted in zip(on_gpu.predict_many(films[:count], batch_size), expected[:count], strict=True):
        assert found.probability == pytest.approx(wanted.probability, abs=0.01)
        assert found.domain_distance == pytest.approx(wanted.domain_distance, rel=0.01)
        assert found.in_domain == wanted.in_domain
        assert np.allclose(found.heatmap, wanted.heatmap, atol=0.02 * np.abs(wanted.heatmap).max())
        if abs(wanted.probability - wanted.threshold) > 0.01:
            assert found.label == wanted.label


def test_threads_share_a_session(on_gpu: Classifier, films: Films) -> None:
    alone = [on_gpu.predict(film).probability for film in films[:16]]
    with ThreadPoolExecutor(8) as threads:
        together = [prediction.probability for prediction in threads.map(on_gpu.predict, films[:16])]
    assert together == pytest.approx(alone, abs=1e-3)


def test_it_pickles(on_gpu: Classifier, films: Films) -> None:
    copy = pickle.loads(pickle.dumps(on_gpu))
    assert copy.device == "cuda"
    assert copy.predict(films[0]).probability == pytest.approx(on_gpu.predict(films[0]).probability, abs=1e-3)


def test_it_can_be_sent_to_a_spawned_process(on_gpu: Classifier, films: Films) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        answer = pool.apply_async(on_gpu.predict, (films[0],)).get(timeout=120)
    assert answer.probability == pytest.approx(on_gpu.predict(films[0]).probability, abs=1e-3)


FORKED = """
import os, sys, signal
from pneumo_infer import Classifier, DeviceError
classifier = Classifier(device="cuda")
classifier.predict(sys.argv[1])
child = os.fork()
if child == 0:
    signal.alarm(100)
    try:
        classifier.predict(sys.argv[1])
    except DeviceError:
        pass
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_answers_or_refuses_and_never_hangs(film_files: list[Path]) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED, film_files[0]], check=True, timeout=120)


def test_hidden_gpus_are_named_as_the_cause(film_files: list[Path]) -> None:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "pneumo_infer", film_files[0], "--device"]
    falls_back = subprocess.run([*command, "auto"], env=hidden, capture_output=True, text=True, check=True)
    assert falls_back.stderr.count("CUDA did not start") == 1
    insists = subprocess.run([*command, "cuda"], env=hidden, capture_output=True, text=True, check=False)
    assert insists.returncode == 2
    assert "CUDA_VISIBLE_DEVICES is ''" in insists.stderr


def test_memory_of_the_gpu_stays_constant(on_gpu: Classifier, films: Films) -> None:
    many = islice(cycle(films), 2000)
    readings = [used_memory() for row, _ in enumerate(on_gpu.predict_many(many)) if row % 500 == 499]
    assert max(readings) - readings[0] <= 8


def test_it_goes_on_after_the_memory_of_the_gpu_was_exhausted(on_gpu: Classifier, films: Films) -> None:
    huge = [("film", on_gpu.read(films[0]))] * 40_000
    with pytest.raises(DeviceError, match="cannot run the network on 40000 films"):
        on_gpu.predict_inputs(huge, batch_size=len(huge))
    assert on_gpu.predict(films[0]).probability is not None
