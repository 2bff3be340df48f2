"""Films read ahead by threads, so that the next batch is decoded while the network works on this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeAlias

from pneumo_infer.errors import ImageError
from pneumo_infer.films.preprocess import read_pixels
from pneumo_infer.films.raster import Film, FilmSource, source_name
from pneumo_infer.limits import LIMITS, Limits

Read: TypeAlias = "tuple[str, Film | ImageError]"


def read_batches(
    films: Iterable[FilmSource], batch_size: int, threads: int, limits: Limits = LIMITS
) -> Iterator[list[Read]]:
    """Read films batch by batch, in order: each film's name, and its pixels uint8 (224, 224) or why there are none.

    While the caller works on a batch the next one is read, and no more than that: memory stays constant. With a batch
    size of 1 nothing is read ahead, so that a source that yields films as they come is answered film by film.

    Parameters
    ----------
    films
        Any iterable. If it raises, what came before is read, and then its exception goes on.
    threads
        How many films are decoded at once. They end when the iteration does, however it ends.
    limits
        How large a film may be.
    """
    if batch_size == 1:
        return ([(source_name(film), _read_or_error(film, limits))] for film in films)
    return _read_ahead(iter(films), batch_size, threads, limits)


def _read_ahead(films: Iterator[FilmSource], batch_size: int, threads: int, limits: Limits) -> Iterator[list[Read]]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pneumo-read")
    try:
        coming, failure = _submit(pool, films, batch_size, limits)
        while coming:
            batch = [(name, reading.result()) for name, reading in coming]
            coming = []
            if failure is None:
                coming, failure = _submit(pool, films, batch_size, limits)
            yield batch
        if failure is not None:
            raise failure
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(
    pool: ThreadPoolExecutor, films: Iterator[FilmSource], count: int, limits: Limits
) -> tuple[list[tuple[str, Future[Film | ImageError]]], Exception | None]:
    submitted: list[tuple[str, Future[Film | ImageError]]] = []
    try:
        submitted.extend(
            (source_name(film), pool.submit(_read_or_error, film, limits)) for film in islice(films, count)
        )
    except Exception as failure:  # of the caller's iterable: what it gave before is read first
        return submitted, failure
    return submitted, None


def _read_or_error(film: FilmSource, limits: Limits) -> Film | ImageError:
    try:
        return read_pixels(film, limits)
    except ImageError as error:
        return error
