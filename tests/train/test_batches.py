"""The order of films depends only on the seed and the epoch."""

from __future__ import annotations

import numpy as np
import pytest

from pneumo_train.data.batches import FilmBatches


def batches(seed: int | None, sharing: int = 1) -> FilmBatches:
    pixels = np.arange(10, dtype=np.uint8)[:, None, None, None]
    targets = np.arange(10, dtype=np.float32)
    return FilmBatches(pixels, targets, np.arange(1, 10), batch_size=4, shuffle_seed=seed, sharing=sharing)


def order(given: FilmBatches) -> list[int]:
    return [int(target) for index in range(len(given)) for target in given[index][1][:, 0]]


def test_each_epoch_has_every_film_once_in_an_order_of_its_own() -> None:
    shuffled = batches(seed=5)
    first = order(shuffled)
    shuffled.start_epoch(1)
    second = order(shuffled)
    assert sorted(first) == sorted(second) == list(range(1, 10))
    assert first != second
    shuffled.start_epoch(0)
    assert order(shuffled) == first
    assert order(batches(seed=6)) != first


def test_films_and_targets_belong_together() -> None:
    for index in range(3):
        films, targets = batches(seed=5)[index]
        np.testing.assert_array_equal(films[:, 0, 0, 0], targets[:, 0])


def test_a_balanced_epoch_has_the_smaller_class_and_as_many_others() -> None:
    targets = np.array([0, 0, 0, *[1] * 12], np.float32)
    pixels = np.arange(15, dtype=np.uint8)[:, None, None, None]
    given = FilmBatches(pixels, targets, np.arange(15), 5, batch_size=4, balanced=True)
    seen = set()
    for epoch in range(40):
        given.start_epoch(epoch)
        films = [int(film) for index in range(len(given)) for film in given[index][0][:, 0, 0, 0]]
        assert len(set(films)) == len(films) == 6
        assert {0, 1, 2} < set(films)
        seen.update(films)
    assert seen == set(range(15))


def test_without_a_seed_the_order_stays() -> None:
    assert order(batches(seed=None)) == list(range(1, 10))


@pytest.mark.parametrize(
    ("sharing", "sizes"), [(1, [4, 4, 1]), (2, [4, 4, 2]), (3, [6, 3]), (4, [4, 4, 4]), (20, [20])]
)
def test_devices_that_share_evenly_get_equal_shares_of_all_films(sharing: int, sizes: list[int]) -> None:
    shared = batches(seed=5, sharing=sharing)
    assert [len(shared[index][1]) for index in range(len(shared))] == sizes
    assert set(order(shared)) == set(range(1, 10))
    shared.start_epoch(1)
    assert set(order(shared)) == set(range(1, 10))


def test_keras_reads_them_in_their_order_and_waits_for_no_tuning() -> None:
    shuffled = batches(seed=5)
    feed = shuffled.feed()
    assert not feed.options().autotune.enabled
    assert int(feed.cardinality()) == len(shuffled)
    for epoch in range(2):
        shuffled.start_epoch(epoch)
        fed = [(films.numpy(), targets.numpy()) for films, targets in feed]
        assert [int(target) for _, targets in fed for target in targets[:, 0]] == order(shuffled)
        for films, targets in fed:
            assert films.dtype == np.uint8
            np.testing.assert_array_equal(films[:, 0, 0, 0], targets[:, 0])
