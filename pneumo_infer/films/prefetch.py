"""Read films ahead in threads, so that the next batch is decoded while the network runs the current one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeAlias

from pneumo_infer.errors import ImageError
from pneumo_infer.films.preprocess import NetworkInput, read_network_input
from pneumo_infer.films.source import FilmSource, source_name

ReadInput: TypeAlias = Callable[[FilmSource], NetworkInput]
ReadFilm: TypeAlias = "tuple[str, NetworkInput | ImageError]"


def read_batches(
    films: Iterable[FilmSource], batch_size: int, threads: int, read: ReadInput = read_network_input
) -> Iterator[list[ReadFilm]]:
    """Read films in batches, in order.

    One batch is read ahead while the caller works on the current one, so memory use stays constant. With a batch size
    of 1 nothing is read ahead, so a live source gets the answer to each film before it has to provide the next.

    Parameters
    ----------
    films
        Any iterable. If it raises an exception, the films before it are yielded first.
    batch_size
        Number of films in a batch.
    threads
        Number of films decoded at once. The threads end with the iteration, even if it is abandoned.
    read
        Reads a film, as `read_network_input` does; called from several threads at once.

    Yields
    ------
    list of tuple
        Each film's name, and its network input, or the ImageError if it cannot be read.
    """
    if batch_size == 1:
        return ([(source_name(film), _read_or_error(film, read))] for film in films)
    return _read_ahead(iter(films), batch_size, threads, read)


def _read_ahead(
    films: Iterator[FilmSource], batch_size: int, threads: int, read: ReadInput
) -> Iterator[list[ReadFilm]]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="pneumo-read")
    try:
        pending, failure = _submit(pool, films, batch_size, read)
        while pending:
            batch = [(name, future.result()) for name, future in pending]
            pending = []
            if failure is None:
                pending, failure = _submit(pool, films, batch_size, read)
            yield batch
        if failure is not None:
            raise failure
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(
    pool: ThreadPoolExecutor, films: Iterator[FilmSource], count: int, read: ReadInput
) -> tuple[list[tuple[str, Future[NetworkInput | ImageError]]], Exception | None]:
    submitted: list[tuple[str, Future[NetworkInput | ImageError]]] = []
    try:
        submitted.extend((source_name(film), pool.submit(_read_or_error, film, read)) for film in islice(films, count))
    except Exception as failure:  # raised by the caller's iterable; the films before it are yielded first
        return submitted, failure
    return submitted, None


def _read_or_error(film: FilmSource, read: ReadInput) -> NetworkInput | ImageError:
    try:
        return read(film)
    except ImageError as error:
        return error
