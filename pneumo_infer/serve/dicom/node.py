"""Run the node: receive, read and deliver, until a signal ends it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from pneumo_infer.errors import PneumoError
from pneumo_infer.serve.dicom.connections import BoundedServer, Listening
from pneumo_infer.serve.dicom.delivery import Delivery, Destination
from pneumo_infer.serve.dicom.log import LOG, describe
from pneumo_infer.serve.dicom.reader import Reader
from pneumo_infer.serve.dicom.receiver import start_receiving, stop_receiving
from pneumo_infer.serve.dicom.spool import Spool

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier


@dataclass(frozen=True)
class Node:
    """What a node needs; see `pneumo-serve dicom --help`."""

    classifier: Classifier
    listening: Listening
    destination: Destination
    spool: Path
    spool_bytes: int
    remember_days: float

    def run(self) -> None:
        """Run until SIGTERM or SIGINT. What was acknowledged by then is in the spool, for the next run.

        Raises
        ------
        PneumoError
            The spool is in use, the address cannot be listened on, or reading or delivery failed in a way that they
            cannot go on from.
        """
        ends: SimpleQueue[None] = SimpleQueue()  # a signal handler must not take the lock of an Event
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ends.put(None))
        stopping = threading.Event()
        spool = Spool(self.spool, self.spool_bytes)
        workers = [
            _Worker("reader", Reader(spool, self.classifier, self.remember_days, stopping).run, ends),
            _Worker("delivery", Delivery(spool, self.destination, stopping).run, ends),
        ]
        server = self._listen(spool)
        for worker in workers:
            worker.start()
        LOG.info(
            "listening as %s on port %d, answers go to %s",
            self.listening.title,
            server.server_address[1],
            self.destination,
        )
        _notify_systemd("READY=1")
        ends.get()
        stopping.set()
        _notify_systemd("STOPPING=1")
        stop_receiving(server)
        spool.wake()
        for worker in workers:
            worker.join()
        spool.close()
        LOG.info("stopped")
        for worker in workers:
            worker.raise_failure()

    def _listen(self, spool: Spool) -> BoundedServer:
        try:
            return start_receiving(self.listening, spool)
        except OSError as error:
            where = f"{self.listening.host}:{self.listening.port}"
            raise PneumoError(where, f"cannot listen ({error.strerror})", "choose another --host or --port") from None


class _Worker(threading.Thread):
    """A thread whose end, if it is not asked for, ends the node."""

    def __init__(self, name: str, work: Callable[[], None], ends: SimpleQueue[None]) -> None:
        super().__init__(name=name)
        self._work, self._ends = work, ends
        self._failure: Exception | None = None

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self._failure = error
        finally:
            self._ends.put(None)

    def raise_failure(self) -> None:
        """Raise what has ended the thread."""
        if isinstance(self._failure, PneumoError):
            raise self._failure
        if self._failure is not None:
            problem = f"ended with an unexpected error ({describe(self._failure)})"
            raise PneumoError(self.name, problem, "report it; the films are kept in the spool")


def _notify_systemd(state: str) -> None:
    """Tell systemd, if it has started this process, in which state it is (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
            notifications.connect(address.replace("@", "\0", 1))
            notifications.send(state.encode())
