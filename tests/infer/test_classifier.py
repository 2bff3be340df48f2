"""Classifier, with the model that ships."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumo_infer import Classifier, DeviceError, ImageError, ModelError, Prediction
from pneumo_infer.cli.command import SAMPLES
from pneumo_infer.films.preprocess import fill_up, read_pixels
from pneumo_infer.model.session import CUDA, load_onnxruntime, open_session

GOLDEN: dict[str, float] = json.loads((Path(__file__).parent / "golden.json").read_text())
# int8 sums round differently from one processor's instructions to another's.
GOLDEN_TOLERANCE = 0.02


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(device="cpu")


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_samples_by_every_way_in(classifier: Classifier, name: str) -> None:
    path = SAMPLES / name
    picture = Image.open(path)
    sources = (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), picture, np.asarray(picture))
    predictions = [classifier.predict(source) for source in sources]
    assert len({prediction.probability for prediction in predictions}) == 1
    assert predictions[0].probability == pytest.approx(GOLDEN[name], abs=GOLDEN_TOLERANCE)
    assert predictions[0].label == path.stem.upper()


def test_a_prediction_tells_everything(classifier: Classifier) -> None:
    prediction = classifier.predict(SAMPLES / "pneumonia.png")
    assert prediction.path == str(SAMPLES / "pneumonia.png")
    assert prediction.operating_point == classifier.model.default_operating_point
    assert prediction.threshold == classifier.model.operating_point().threshold
    assert (prediction.model, prediction.device) == (classifier.model.path.name, "cpu")
    assert prediction.error is None
    assert repr(classifier).startswith(f"Classifier('{prediction.model}', device='cpu', threshold=0.")
    assert json.loads(json.dumps(prediction.to_dict())) == prediction.to_dict()


def test_thresholds_by_name_and_number() -> None:
    sample = SAMPLES / "normal.png"
    screening = Classifier(device="cpu", threshold="screening")
    assert screening.predict(sample).operating_point == "screening"
    assert screening.threshold == screening.model.operating_point("screening").threshold
    always = Classifier(device="cpu", threshold=0.0).predict(sample)
    assert (always.label, always.operating_point) == ("PNEUMONIA", None)
    never = Classifier(device="cpu", threshold=1.0).predict(SAMPLES / "pneumonia.png")
    assert never.label == "NORMAL"
    assert never.probability == pytest.approx(GOLDEN["pneumonia.png"], abs=GOLDEN_TOLERANCE)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), "best"])
def test_thresholds_that_make_no_sense(threshold: float | str) -> None:
    with pytest.raises(ModelError):
        Classifier(device="cpu", threshold=threshold)


def test_a_bad_film_spoils_only_itself(classifier: Classifier, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpeg"
    bad.write_bytes(b"not a film")
    normal, ill = SAMPLES / "normal.png", SAMPLES / "pneumonia.png"
    films = [bad, normal, bad, ill, normal]
    for batch_size in (1, 2, 3, 16):
        predictions = list(classifier.predict_many(films, batch_size=batch_size))
        assert [p.path for p in predictions] == [str(film) for film in films]
        assert [p.label for p in predictions] == [None, "NORMAL", None, "PNEUMONIA", "NORMAL"]
        assert isinstance(predictions[0].error, ImageError)
        assert "bad.jpeg" in str(predictions[0].to_dict()["error"])
    with pytest.raises(ImageError, match=r"bad\.jpeg"):
        classifier.predict(bad)
    with pytest.raises(ImageError, match=r"bad\.jpeg"):
        predictions[0].overlay(normal)


def test_predict_many_is_lazy(classifier: Classifier) -> None:
    taken = count()

    def endless() -> Iterator[Path]:
        while True:
            next(taken)
            yield SAMPLES / "normal.png"

    assert len(list(islice(classifier.predict_many(endless(), batch_size=4), 5))) == 5
    assert next(taken) == 12  # two batches that were answered and one read ahead, no more
    with pytest.raises(ValueError, match="batch_size must be from 1 to 65536, not 0"):
        classifier.predict_many([], batch_size=0)


def test_batches_and_single_films_agree(classifier: Classifier, film_files: list[Path]) -> None:
    films = film_files[:8]
    alone = [classifier.predict(film).probability for film in films]
    together = [p.probability for p in classifier.predict_many(films, batch_size=8)]
    np.testing.assert_allclose(alone, together, atol=1e-3)


def test_what_a_batch_is_filled_up_with_changes_no_answer(classifier: Classifier, film_files: list[Path]) -> None:
    films = np.stack([read_pixels(path) for path in film_files])[..., None]
    filled = fill_up(films, len(films) + 3)
    assert (len(filled), len(fill_up(films, len(films)))) == (len(films) + 3, len(films))
    session = open_session(classifier.model.path, "cpu").session
    (probabilities,) = session.run(["probability"], {"image": filled})
    answers = [prediction.probability for prediction in classifier.predict_many(film_files)]
    np.testing.assert_allclose(probabilities[: len(films)], answers, atol=1e-5)


def test_one_classifier_serves_several_threads(classifier: Classifier, film_files: list[Path]) -> None:
    films = film_files[:6] * 3
    expected = [classifier.predict(film).probability for film in films]
    with ThreadPoolExecutor(4) as threads:
        assert [p.probability for p in threads.map(classifier.predict, films)] == expected


def test_a_classifier_pickles() -> None:
    original = Classifier(device="cpu", threads=1, threshold="screening")
    copy = pickle.loads(pickle.dumps(original))
    sample = SAMPLES / "normal.png"
    assert copy.predict(sample).to_dict() == original.predict(sample).to_dict()


def test_errors_pickle(tmp_path: Path) -> None:
    with pytest.raises(ImageError) as raised:
        Classifier(device="cpu").predict(tmp_path / "gone.png")
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (type(copy), str(copy)) == (ImageError, str(raised.value))


def test_a_device_that_is_not_there() -> None:
    if CUDA in load_onnxruntime().get_available_providers():
        assert Classifier(device="cuda").device == "cuda"
    else:
        with pytest.raises(DeviceError, match=r"not supported by the installed onnxruntime.*--device cpu"):
            Classifier(device="cuda")
    with pytest.raises(DeviceError, match="choose auto, cpu or cuda"):
        Classifier(device="tpu")  # type: ignore[arg-type]
    with pytest.raises(DeviceError, match="give 1 to 1024"):
        Classifier(device="cpu", threads=0)


def test_two_builds_of_onnxruntime_are_refused(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime" / "__init__.py").touch()
    for build in ("onnxruntime", "onnxruntime_gpu"):
        (tmp_path / f"{build}-1.18.0.dist-info").mkdir()
    command = [sys.executable, "-m", "pneumo_infer", SAMPLES / "normal.png"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert "onnxruntime and onnxruntime-gpu: both are installed, but they overwrite each other" in done.stderr
    assert "uninstall both" in done.stderr


def test_threads_do_not_change_the_answer(film: NDArray[np.uint8]) -> None:
    answers = {Classifier(device="cpu", threads=threads).predict(film).probability for threads in (1, 2)}
    assert max(answers) - min(answers) < 1e-3


def test_a_prediction_cannot_be_changed(classifier: Classifier) -> None:
    prediction = classifier.predict(SAMPLES / "normal.png")
    assert isinstance(prediction, Prediction)
    with pytest.raises(AttributeError):
        prediction.label = "PNEUMONIA"  # type: ignore[misc]


BATCH_BEYOND_MEMORY = """
import resource, sys
from pathlib import Path
from pneumo_infer import Classifier, DeviceError
classifier = Classifier(device="cpu", threads=1)
film = classifier.read(sys.argv[1])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit = used + 500_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    classifier.predict_inputs([("film", film)] * 2048, batch_size=2048)
except DeviceError as error:
    print(error)
print(classifier.predict_input("film", film).label)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_batch_that_does_not_fit_into_memory() -> None:
    command = [sys.executable, "-c", BATCH_BEYOND_MEMORY, SAMPLES / "normal.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    problem, label = done.stdout.splitlines()
    assert problem.startswith("cpu: cannot run the network on 2048 films (")
    assert problem.endswith("; use smaller batches, or free memory")
    assert label == "NORMAL"
