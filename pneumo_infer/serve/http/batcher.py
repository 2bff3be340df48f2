"""Films of all requests on their way through one network: read in threads, and classified in batches.

Each thread reads film after film, with an isolated classifier in a process of its own. One more thread runs the
network on what has been read meanwhile, up to a batch. No film waits for a batch to fill.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import Empty, Queue, SimpleQueue
from threading import Thread
from typing import NamedTuple

from pneumo_infer.classifier import Classifier
from pneumo_infer.errors import ImageError
from pneumo_infer.films.preprocess import NetworkInput
from pneumo_infer.films.raster import Film
from pneumo_infer.prediction import Prediction
from pneumo_infer.serve.http.body import Upload
from pneumo_infer.serve.http.metrics import Metrics

LONGEST_WAIT = 30  # seconds that a client is told to wait, at most


class Answer(NamedTuple):
    """The result for a film, and the film for display if it was asked for."""

    prediction: Prediction
    view: Film | None


@dataclass(slots=True, eq=False)
class _Job:
    film: Upload
    view: int | None
    answer: Future[Answer] = field(default_factory=Future)
    read: NetworkInput | None = None

    def drop(self, _answer: Future[Answer]) -> None:
        """Free the film, since a job that is cancelled may stay in the queue for some time."""
        self.film = Upload(self.film.name, b"")


class Batcher:
    """Answers films that are submitted from any thread.

    Parameters
    ----------
    classifier
        It is used from several threads, and closed with this.
    batch_size
        Films per run of the network, at most.
    metrics
        Counts what is answered.
    """

    def __init__(self, classifier: Classifier, batch_size: int, metrics: Metrics) -> None:
        self.classifier = classifier
        self._batch_size = batch_size
        self._metrics = metrics
        self._waiting: SimpleQueue[_Job | None] = SimpleQueue()
        # Bounded, so that no more films are read ahead than the network will take next.
        self._ready: Queue[_Job | None] = Queue(2 * batch_size)
        self._seconds_per_film = 0.05
        self._closed = False
        # Daemons, because a film that takes long must not delay the end of the program.
        self._readers = [Thread(target=self._read_films, daemon=True) for _ in range(classifier.threads)]
        self._network = Thread(target=self._run_network, daemon=True)
        for thread in (*self._readers, self._network):
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in (*self._readers, self._network))

    @property
    def waiting(self) -> int:
        """The number of films that have not been read, about."""
        return self._waiting.qsize()

    def retry_after(self) -> int:
        """Return in how many seconds the films that wait now will have been answered, about; at least 1."""
        return min(LONGEST_WAIT, max(1, math.ceil(self.waiting * self._seconds_per_film)))

    def submit(self, films: Iterable[Upload], view: int | None = None) -> list[Future[Answer]]:
        """Answer films. A future that is cancelled before its film is read costs nothing.

        Parameters
        ----------
        view
            Also return each film for display, with its longer side at most this many pixels.

        Returns
        -------
        list of Future
            In the order of the films. A film that cannot be read has a prediction with an error. A future raises
            ModelError if the network answers with an impossible number.
        """
        jobs = [_Job(film, view) for film in films]
        for job in jobs:
            job.answer.add_done_callback(job.drop)
            self._waiting.put(job)
        return [job.answer for job in jobs]

    def close(self) -> None:
        """Cancel what waits, and end when the network has finished its run. Closing twice is safe.

        Films that are being read at that time raise ValueError.
        """
        self._closed = True
        with suppress(Empty):
            while job := self._waiting.get_nowait():
                job.answer.cancel()
        for _ in self._readers:
            self._waiting.put(None)
        self._ready.put(None)
        self._network.join()
        with suppress(Empty):
            while True:
                self._refuse(self._ready.get_nowait())
        self.classifier.close()

    def _refuse(self, job: _Job | None) -> None:
        if job is not None:
            job.answer.set_exception(ValueError("the service has been stopped"))

    def _read_films(self) -> None:
        while job := self._waiting.get():
            if not job.answer.set_running_or_notify_cancel():
                continue
            try:
                job.read = self.classifier.read(job.film.encoded, job.view)
            except ImageError as error:
                named = ImageError(job.film.name, error.problem, error.remedy)
                self._finish(job, self.classifier.unreadable(job.film.name, named))
            except BaseException as error:
                job.answer.set_exception(error)
            else:
                self._refuse(job) if self._closed else self._ready.put(job)

    def _run_network(self) -> None:
        while job := self._ready.get():
            batch = [job]
            while len(batch) < self._batch_size and not self._ready.empty():
                another = self._ready.get()
                if another is None:
                    self._classify(batch)
                    return
                batch.append(another)
            self._classify(batch)

    def _classify(self, batch: list[_Job]) -> None:
        began = time.monotonic()
        try:
            inputs = [(job.film.name, job.read) for job in batch if job.read is not None]
            predictions = self.classifier.predict_inputs(inputs, self._batch_size)
        except BaseException as error:
            for job in batch:
                job.answer.set_exception(error)
            return
        for job, prediction in zip(batch, predictions, strict=True):
            self._finish(job, prediction)
        seconds = (time.monotonic() - began) / len(batch)
        self._seconds_per_film += 0.1 * (seconds - self._seconds_per_film)
        self._metrics.batches.observe(len(batch))

    def _finish(self, job: _Job, prediction: Prediction) -> None:
        self._metrics.count(prediction, self.classifier.model.domain_limit)
        view = None if job.read is None else job.read.view
        job.answer.set_result(Answer(replace(prediction, film_bytes=len(job.film.encoded)), view))
