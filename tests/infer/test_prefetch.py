"""Films read ahead: in order, without losing one, and without leaving a thread behind."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from made_films import flat_film
from small_models import METADATA, write_model

from pneumo_infer import Classifier
from pneumo_infer.errors import ImageError
from pneumo_infer.films.prefetch import read_batches


def grey(level: int) -> np.ndarray:
    return flat_film(level % 256)


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pneumo-read")]


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_order_is_kept_and_bad_films_spoil_only_themselves(batch_size: int) -> None:
    films = [b"no film" if level % 5 == 3 else grey(level) for level in range(40)]
    read = [entry for batch in read_batches(films, batch_size, threads=4) for entry in batch]
    for level, (_, film) in enumerate(read):
        if level % 5 == 3:
            assert isinstance(film, ImageError)
        else:
            assert not isinstance(film, ImageError)
            assert film.pixels[0, 0] == level
    assert readers() == []


def test_an_endless_source_is_read_two_batches_ahead_at_most() -> None:
    taken: list[int] = []

    def endless() -> Iterator[np.ndarray]:
        for level in count():
            taken.append(level)
            yield grey(level)

    batches = read_batches(endless(), 4, threads=2)
    for _ in islice(batches, 3):
        pass
    assert len(taken) <= 16
    del batches
    gc.collect()
    assert readers() == []


def test_with_a_batch_of_one_nothing_is_taken_ahead() -> None:
    taken: list[int] = []

    def watched() -> Iterator[np.ndarray]:
        for level in range(5):
            taken.append(level)
            yield grey(level)

    for number, _ in enumerate(read_batches(watched(), 1, threads=2), start=1):
        assert len(taken) == number


@pytest.mark.parametrize("batch_size", [1, 4])
def test_what_came_before_an_exception_of_the_source_is_read(batch_size: int) -> None:
    def breaking() -> Iterator[np.ndarray]:
        yield from (grey(level) for level in range(6))
        raise OSError("the share went away")

    read: list[list[object]] = []
    with pytest.raises(OSError, match="the share went away"):
        read.extend(read_batches(breaking(), batch_size, threads=2))
    assert sum(map(len, read)) == 6
    assert readers() == []


def test_an_exception_of_the_consumer_leaves_no_thread(tmp_path: Path) -> None:
    classifier = Classifier(write_model(tmp_path / "m.onnx", METADATA), device="cpu")

    def consume() -> None:
        for _ in classifier.predict_many((grey(level) for level in count()), batch_size=4):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        consume()
    gc.collect()
    assert readers() == []


def test_many_films_are_answered_as_one_by_one(tmp_path: Path) -> None:
    classifier = Classifier(write_model(tmp_path / "m.onnx", METADATA), device="cpu")
    films = [grey(level) for level in range(100, 150)]
    together = [prediction.probability for prediction in classifier.predict_many(films, batch_size=8)]
    assert together == [classifier.predict(film).probability for film in films]
