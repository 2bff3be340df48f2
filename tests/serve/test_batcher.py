"""Films on their way through the network: order, what is cancelled, and what is shut down."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest
from serving import png

pytest.importorskip("prometheus_client")

from pneumo_infer import Classifier
from pneumo_infer.serve.http.batcher import Batcher
from pneumo_infer.serve.http.body import Upload
from pneumo_infer.serve.http.metrics import Metrics


@pytest.fixture
def batcher(model: Path) -> Iterator[Batcher]:
    batcher = Batcher(Classifier(model, device="cpu", threads=2), 4, Metrics())
    yield batcher
    batcher.close()


def test_answers_are_in_the_order_of_the_films(batcher: Batcher) -> None:
    films = [Upload(str(number), b"no film" if number % 5 == 0 else png(100 + number)) for number in range(40)]
    answers = [future.result(60) for future in batcher.submit(films)]
    assert [answer.prediction.path for answer in answers] == [film.name for film in films]
    for number, answer in enumerate(answers):
        assert (answer.prediction.error is None) == (number % 5 != 0)
        assert answer.prediction.film_bytes == len(films[number].encoded)


def test_a_job_that_is_cancelled_holds_no_film(batcher: Batcher) -> None:
    film = bytes(10_000_000)
    held = sys.getrefcount(film)
    answers = batcher.submit([Upload("film", film)] * 200)
    for answer in answers:
        answer.cancel()
    wait(answers, 60)
    assert sys.getrefcount(film) - held <= 3 * batcher.classifier.threads  # those that are being read


def test_what_waits_at_the_end_is_cancelled(batcher: Batcher) -> None:
    answers = batcher.submit([Upload("film", png(100))] * 500)
    batcher.close()
    assert answers[-1].cancelled()
    for answer in answers:
        if not answer.cancelled():
            assert answer.exception(60) is None or "stopped" in str(answer.exception())
    assert not batcher.alive
