"""Worker processes read films like this one does, end with a film that exceeds a limit, and are replaced."""

from __future__ import annotations

import io
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hostile_films import FILMS, encoded
from made_films import dicom_film, draw_film
from PIL import Image

from pneumo_infer import Classifier, ImageError, Limits
from pneumo_infer.films.isolated import pool
from pneumo_infer.films.isolated.pool import Workers
from pneumo_infer.films.preprocess import read_network_input

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are limited by POSIX's means")
FILM = encoded(Image.fromarray(draw_film(0)), "PNG")


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(Limits())
    yield workers
    workers.close()


def workers_running() -> list[int]:
    # A child belongs to the thread that has started it; other tests may have left children of other kinds.
    children = [child for task in Path("/proc/self/task").glob("*/children") for child in task.read_text().split()]
    return [int(child) for child in children if b"isolated.worker" in _command(child)]


def _command(process: str) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # ended since it was listed
        return b""


def test_a_worker_reads_what_this_process_reads(workers: Workers, tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    path.write_bytes(FILM)
    dicom = dicom_film(draw_film(0).astype(np.uint16) * 16, Modality="DX", PatientAge="003Y")
    for source in (FILM, path, dicom, io.BytesIO(FILM), draw_film(0)):
        found, expected = workers.read(source), read_network_input(FILM if source is not dicom else dicom)
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        assert (found.crop, found.header) == (expected.crop, expected.header)
    assert len(workers_running()) == 1
    workers.close()
    assert not workers_running()


def test_errors_name_the_film(workers: Workers, tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    path.write_bytes(FILM[: len(FILM) // 2])
    with pytest.raises(ImageError, match=r"film\.png: damaged or truncated"):
        workers.read(path)
    with pytest.raises(ImageError, match="does not exist"):
        workers.read(tmp_path / "gone.png")


@pytest.mark.slow
def test_a_film_that_takes_too_long_ends_its_worker_only() -> None:
    workers = Workers(Limits(seconds=1, memory=4 * 10**9))
    long = FILMS["JPEG 2000, 64 megapixels, colour"]()
    # On a busy machine, its wall time ends first.
    with pytest.raises(ImageError, match=r"took more than (1 s of CPU time|6 s); export the film again, or raise the"):
        workers.read(long)
    assert workers.read(FILM).pixels.any()
    workers.close()


# A decoder that waits for something that does not come, in a worker of a program that ignores alarms.
WAITING = """
import signal, sys, time
sys.path[:] = {path!r}
from pneumo_infer import limits
from pneumo_infer.films.isolated import worker
signal.signal(signal.SIGALRM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
limits.WALL_FACTOR = 0.2
worker.read_network_input = lambda *_: time.sleep(30)
worker.main()
"""


def test_a_film_that_waits_ends_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers(Limits(seconds=1))
    with monkeypatch.context() as patched:
        patched.setattr(pool, "PROGRAM", WAITING)
        began = time.monotonic()
        with pytest.raises(ImageError, match="took more than 6 s; export the film again, or raise the limit"):
            workers.read(FILM)
        assert time.monotonic() - began < 20
    assert workers.read(FILM).pixels.any()
    workers.close()


ALLOCATE = """
from resource import RLIMIT_DATA
from pneumo_infer.films.isolated import worker
worker._limit(RLIMIT_DATA, worker._data_size() + 100_000_000)
kept = bytearray(50_000_000)
try:
    bytearray(100_000_000)
except MemoryError:
    print("refused")
"""


def test_the_operating_system_limits_the_memory_of_a_worker() -> None:
    done = subprocess.run([sys.executable, "-c", ALLOCATE], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


@pytest.mark.parametrize("films_in_all", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_film_has_a_record_though_workers_are_killed(tmp_path: Path, films_in_all: int) -> None:
    films = [tmp_path / f"{number}.png" for number in range(films_in_all)]
    for film in films:
        film.write_bytes(FILM)
    choose, killed, predictions = random.Random(0), 0, []
    with Classifier(device="cpu", threads=2, isolate=True) as classifier:
        for prediction in classifier.predict_many(films, batch_size=4):
            predictions.append(prediction)
            if choose.random() < 0.1 and (workers := workers_running()):
                time.sleep(choose.uniform(0.0, 0.05))
                with suppress(ProcessLookupError):  # ended since it was listed
                    os.kill(choose.choice(workers), signal.SIGKILL)
                    killed += 1
    assert killed >= films_in_all / 20
    assert [prediction.path for prediction in predictions] == [str(film) for film in films]
    failed = [str(prediction.error) for prediction in predictions if prediction.error]
    assert all("ended the process that read it (signal 9)" in error for error in failed)
    assert len(failed) <= killed


def test_an_isolated_classifier_pickles_and_answers_alike() -> None:
    with Classifier(device="cpu") as plain, Classifier(device="cpu", isolate=True) as isolated:
        again = pickle.loads(pickle.dumps(isolated))
        expected = plain.predict(FILM).probability
        assert isolated.predict(FILM).probability == again.predict(FILM).probability == expected
        again.close()


def test_a_fork_starts_workers_of_its_own(workers: Workers) -> None:
    expected = workers.read(FILM).pixels
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(workers.read(FILM).pixels, expected) else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(workers.read(FILM).pixels, expected)


def test_workers_end_with_the_program() -> None:
    workers = Workers(Limits())
    workers.read(FILM)
    assert workers_running()
    del workers
    deadline = time.monotonic() + 10
    while workers_running() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not workers_running()


@pytest.mark.parametrize("encoded_film", [FILM, dicom_film(draw_film(0).astype(np.uint16) * 16)])
def test_a_worker_returns_the_film_for_display_as_well(workers: Workers, encoded_film: bytes) -> None:
    found, here = workers.read(encoded_film, view=100), read_network_input(encoded_film, view=100)
    assert found.view is not None
    assert found.view.shape == (83, 100)
    np.testing.assert_array_equal(found.view, here.view)
    np.testing.assert_array_equal(found.pixels, workers.read(encoded_film).pixels)
