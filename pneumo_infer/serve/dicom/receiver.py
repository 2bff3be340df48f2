"""The node's server: it verifies (C-ECHO), and receives objects into the spool (C-STORE)."""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pydicom import uid
from pydicom.filewriter import write_file_meta_info
from pynetdicom import AE, evt

from pneumo_infer.films.dicom.decoders import CODECS
from pneumo_infer.printable import printable
from pneumo_infer.serve.dicom.connections import BoundedServer, Listening
from pneumo_infer.serve.dicom.log import LOG, describe
from pneumo_infer.serve.dicom.source import is_uid
from pneumo_infer.serve.dicom.spool import Receipt, Spool

if TYPE_CHECKING:
    from pynetdicom.events import Event

VERIFICATION = "1.2.840.10008.1.1"  # PS3.4 A.4
# A report is never a film, but a PACS that forwards everything sends ours back, and must not fail at it.
SOP_CLASSES = (
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
    uid.SecondaryCaptureImageStorage,
    uid.ComprehensiveSRStorage,
)
TRANSFER_SYNTAXES = [
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    *CODECS,
]
SUCCESS, DUPLICATE, INVALID, OUT_OF_RESOURCES = 0x0000, 0x0111, 0x0117, 0xA700  # PS3.7 annex C, PS3.4 B.2.3
RECEIPTS = {
    Receipt.NEW: (SUCCESS, "received"),
    Receipt.KNOWN: (SUCCESS, "received again"),
    Receipt.CONFLICT: (DUPLICATE, "refused, it was received before with other content"),
    Receipt.FULL: (OUT_OF_RESOURCES, "refused, the spool is full"),
}
STOP_SECONDS = 5.0  # for peers to end their associations, until these are aborted


def start_receiving(listening: Listening, spool: Spool) -> BoundedServer:
    """Start the server in a thread of its own.

    Raises
    ------
    OSError
        The address is in use, or is none of this machine.
    """
    entity = AE(listening.title)
    entity.maximum_associations = listening.max_associations
    entity.require_called_aet = True
    entity.require_calling_aet = list(listening.peer_titles)
    entity.add_supported_context(VERIFICATION)
    for sop_class in SOP_CLASSES:
        entity.add_supported_context(sop_class, TRANSFER_SYNTAXES)
    handlers: list[tuple[Any, ...]] = [
        (evt.EVT_C_STORE, _logging_errors(partial(_store, spool))),
        (evt.EVT_REJECTED, _log_peer, ["rejected an association"]),
        (evt.EVT_ABORTED, _log_peer, ["an association was aborted"]),
    ]
    return BoundedServer(entity, listening, handlers)


def stop_receiving(server: BoundedServer) -> None:
    """Accept no more connections, let peers end their associations, and abort what is left.

    An object that is aborted was not acknowledged, so its peer sends it again.
    """
    server.shutdown()
    latest = time.monotonic() + STOP_SECONDS
    while server.active_associations and time.monotonic() < latest:
        time.sleep(0.05)
    for association in server.active_associations:
        association.abort()


def _store(spool: Spool, event: Event) -> int:
    request: Any = event.request
    sop_instance = str(request.AffectedSOPInstanceUID)
    peer = _peer(event)
    if not is_uid(sop_instance):
        LOG.warning("refused an object without a valid UID from %s", peer)
        return INVALID
    head = io.BytesIO()
    head.write(b"\0" * 128 + b"DICM")
    write_file_meta_info(head, event.file_meta)
    digest = hashlib.sha256(event.context.transfer_syntax.encode())
    with request.DataSet.getbuffer() as data_set:
        digest.update(data_set)
        try:
            receipt = spool.accept(sop_instance, [head.getvalue(), data_set], digest.hexdigest())
        except OSError as error:
            LOG.error("%s from %s cannot be spooled: %s", sop_instance, peer, error.strerror)
            return OUT_OF_RESOURCES
    status, what = RECEIPTS[receipt]
    LOG.log(logging.WARNING if status else logging.INFO, "%s from %s: %s", sop_instance, peer, what)
    return status


def _logging_errors(store: Callable[[Event], int]) -> Callable[[Event], int]:
    def logging_errors(event: Event) -> int:
        try:
            return store(event)
        except Exception as error:
            LOG.error("an object from %s cannot be stored: %s", _peer(event), describe(error))
            raise

    return logging_errors


def _log_peer(event: Event, what: str) -> None:
    LOG.warning("%s: %s", what, _peer(event))


def _peer(event: Event) -> str:
    peer = event.assoc.requestor
    return printable(f"{peer.ae_title.strip()} at {peer.address}")
