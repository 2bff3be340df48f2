"""Deliver answers: to another node by C-STORE, or into a folder. What cannot be delivered is tried again."""

from __future__ import annotations

import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydicom import dcmread
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE

from pneumo_infer.files.atomic_write import replacing
from pneumo_infer.files.durable import sync_file, sync_folder
from pneumo_infer.serve.dicom.log import LOG
from pneumo_infer.serve.dicom.spool import Entry, Spool, State

if TYPE_CHECKING:
    from pynetdicom.association import Association

FIRST_DELAY, LONGEST_DELAY = 1.0, 300.0  # seconds between attempts
CONNECT_SECONDS, RESPONSE_SECONDS = 10.0, 60.0
# Success, warnings (PS3.4 B.2.3), and "duplicate SOP instance": the other node has the object, since its UID is ours.
ACCEPTED = (0x0000, 0xB000, 0xB006, 0xB007, 0x0111)
Send = Callable[[Path], None]


class NotDeliveredError(Exception):
    """An object was not delivered; others may be."""


class Destination(Protocol):
    """Where answers go."""

    def connected(self) -> AbstractContextManager[Send]:
        """Yield a function that delivers one file, and raises NotDeliveredError or OSError."""


class Folder:
    """A folder in which each object is a file named by its SOP Instance UID.

    Parameters
    ----------
    folder
        The folder, which exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    @contextmanager
    def connected(self) -> Iterator[Send]:
        yield self._write

    def _write(self, answer: Path) -> None:
        uid = dcmread(answer, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID
        with replacing(self._folder / f"{uid}.dcm") as temporary:
            shutil.copyfile(answer, temporary)
            sync_file(temporary)
        sync_folder(self._folder)


class OtherNode:
    """Another DICOM node, such as a PACS.

    Parameters
    ----------
    title, host, port
        Its AE title and address.
    own_title
        The AE title of this node.
    tls
        To connect over TLS.
    """

    def __init__(self, title: str, host: str, port: int, own_title: str, tls: ssl.SSLContext | None = None) -> None:
        self._title, self._host, self._port, self._tls = title, host, port, tls
        self._entity = AE(own_title)
        self._entity.connection_timeout = CONNECT_SECONDS
        self._entity.acse_timeout = self._entity.dimse_timeout = self._entity.network_timeout = RESPONSE_SECONDS
        for sop_class in (ComprehensiveSRStorage, SecondaryCaptureImageStorage):
            self._entity.add_requested_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])

    def __str__(self) -> str:
        return f"{self._title}@{self._host}:{self._port}"

    @contextmanager
    def connected(self) -> Iterator[Send]:
        tls = None if self._tls is None else (self._tls, self._host)
        association = self._entity.associate(self._host, self._port, ae_title=self._title, tls_args=tls)
        if not association.is_established:
            raise ConnectionError("no association")
        try:
            yield partial(_store, association)
        finally:
            association.release()


def _store(association: Association, answer: Path) -> None:
    if not association.is_established:
        raise ConnectionError("the association was lost")
    try:
        status = association.send_c_store(answer)
    except RuntimeError:
        raise ConnectionError("the association was lost") from None
    except ValueError:
        raise NotDeliveredError("it does not accept objects of this kind") from None
    if "Status" not in status:
        raise ConnectionError("no response")
    if status.Status not in ACCEPTED:
        raise NotDeliveredError(f"it refused with status 0x{status.Status:04X}")


class Delivery:
    """Delivers what is answered until it is stopped.

    Parameters
    ----------
    spool
        Where the answers are.
    destination
        Where they go.
    stopping
        Ends the delivery, once it is set and the spool's waiting is ended.
    """

    def __init__(self, spool: Spool, destination: Destination, stopping: threading.Event) -> None:
        self._spool, self._destination, self._stopping = spool, destination, stopping
        self._not_before: dict[str, float] = {}  # when to offer answers again that the destination has refused

    def run(self) -> None:
        """Deliver answers as they come. If there is no connection, attempts are repeated with growing delays."""
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            self._spool.wait(State.ANSWERED, LONGEST_DELAY)
            try:
                self._deliver_waiting()
                delay = FIRST_DELAY
            except OSError as error:
                LOG.warning("cannot deliver to %s: %s; next attempt in %.0f s", self._destination, error, delay)
                self._stopping.wait(delay)
                delay = min(2 * delay, LONGEST_DELAY)
                self._spool.wake()

    def _deliver_waiting(self) -> None:
        now = time.monotonic()
        entries = [entry for entry in self._spool.waiting(State.ANSWERED) if self._not_before.get(entry.uid, 0) <= now]
        if entries:
            with self._destination.connected() as send:
                for entry in entries:
                    if not self._stopping.is_set():
                        self._deliver(entry, send)

    def _deliver(self, entry: Entry, send: Send) -> None:
        for answer in entry.answers():
            try:
                send(answer)
            except NotDeliveredError as error:
                LOG.warning("%s of %s not delivered to %s: %s", answer.stem, entry.uid, self._destination, error)
                self._not_before[entry.uid] = time.monotonic() + LONGEST_DELAY
                return
            self._spool.delivered(answer)
        self._not_before.pop(entry.uid, None)
        self._spool.finish(entry)
        LOG.info("%s: delivered to %s", entry.uid, self._destination)
