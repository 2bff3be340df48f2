"""Read the films in the spool, and make the answers."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pneumo_infer.errors import PneumoError, excerpt
from pneumo_infer.printable import printable
from pneumo_infer.serve.dicom.answer import make_answers
from pneumo_infer.serve.dicom.log import LOG, describe
from pneumo_infer.serve.dicom.source import is_own, objections, read_source
from pneumo_infer.serve.dicom.spool import Entry, Spool, State

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom import Dataset

    from pneumo_infer.classifier import Classifier
    from pneumo_infer.prediction import Prediction

BATCH_SIZE = 8
RETRY_SECONDS = 10.0  # after the spool could not be written
SIGNAL_SECONDS = 0.2  # within which a signal reaches all processes
FORGET_SECONDS = 3600.0  # between searches for what can be forgotten


class Reader:
    """Answers received films until it is stopped.

    Parameters
    ----------
    spool
        Where the films are.
    classifier
        The model.
    remember_days
        How long delivered and refused films are recognised if they are sent again.
    stopping
        Ends the reading, once it is set and the spool's waiting is ended.
    """

    def __init__(self, spool: Spool, classifier: Classifier, remember_days: float, stopping: threading.Event) -> None:
        self._spool, self._classifier, self._stopping = spool, classifier, stopping
        self._remember_days, self._forgotten = remember_days, float("-inf")

    def run(self) -> None:
        """Answer films as they come.

        Raises
        ------
        ModelError
            The model gives impossible answers. The films stay in the spool.
        """
        while not self._stopping.is_set():
            self._forget()
            self._spool.wait(State.RECEIVED, FORGET_SECONDS)
            try:
                self._answer_waiting()
            except OSError as error:
                LOG.error("the spool cannot be written: %s; next attempt in %.0f s", error.strerror, RETRY_SECONDS)
                self._stopping.wait(RETRY_SECONDS)
                self._spool.wake()

    def _forget(self) -> None:
        if time.monotonic() >= self._forgotten + FORGET_SECONDS:
            self._spool.forget(self._remember_days)
            self._forgotten = time.monotonic()

    def _answer_waiting(self) -> None:
        accepted: deque[tuple[Entry, Dataset]] = deque()
        for prediction in self._classifier.predict_many(self._accept(accepted), BATCH_SIZE):
            entry, source = accepted.popleft()
            self._answer(entry, source, prediction)
            if self._stopping.is_set():
                return

    def _accept(self, accepted: deque[tuple[Entry, Dataset]]) -> Iterator[Path]:
        """Yield the films to classify, and remember their headers; refuse or drop all others."""
        for entry in self._spool.waiting(State.RECEIVED):
            if self._stopping.is_set():
                return
            source = self._read(entry)
            if source is not None:
                accepted.append((entry, source))
                yield entry.film

    def _read(self, entry: Entry) -> Dataset | None:
        """Read the header of a film, or refuse or drop it and return None."""
        try:
            source = read_source(entry.film, self._classifier.limits)
            own = is_own(source)
            reasons = objections(source, entry.uid, self._classifier.model.population)
        except PneumoError as error:
            reasons, own = [error.problem], False
        except OSError:
            raise
        except Exception as error:  # pydicom raises many kinds of exceptions on damaged files
            reasons, own = [f"its header cannot be read ({type(error).__name__})"], False
        if own:
            self._spool.drop(entry)
            LOG.info("%s: dropped, it was made by this program", entry.uid)
            return None
        if reasons:
            self._refuse(entry, "; ".join(reasons))
            return None
        return source

    def _answer(self, entry: Entry, source: Dataset, prediction: Prediction) -> None:
        if prediction.error is not None:
            # A signal to all processes of the service ends the one that reads films as well: the film is kept then.
            if not self._stopping.wait(SIGNAL_SECONDS):
                self._refuse(entry, prediction.error.problem)
            return
        try:
            answers = make_answers(source, prediction, entry.film, self._classifier.limits)
        except OSError:
            raise
        except Exception as error:  # highdicom and pydicom raise many kinds of exceptions for odd headers
            LOG.error("%s: no answer could be made: %s", entry.uid, describe(error))
            self._refuse(entry, f"no answer could be made ({type(error).__name__})")
            return
        self._spool.answer(entry, answers)
        LOG.info("%s: answered", entry.uid)

    def _refuse(self, entry: Entry, reason: str) -> None:
        """Refuse a film. The reason may quote its header, so it is not logged."""
        self._spool.refuse(entry, printable(excerpt(reason)))
        LOG.warning("%s: refused, see %s", entry.uid, State.REFUSED)
