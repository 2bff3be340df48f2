"""pynetdicom's server with limits that it lacks: on peers, on connections, and on bytes before they are in memory."""

from __future__ import annotations

import socket
import ssl
import sys
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from socketserver import BaseServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from pynetdicom import evt
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from pneumo_infer.serve.dicom.log import LOG, describe

if TYPE_CHECKING:
    from pynetdicom import AE
    from pynetdicom.association import Association
    from pynetdicom.events import Event

MAX_PDU_BYTES = 2**18  # peers are told half of it
IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class Listening:
    """Where and to whom the node listens.

    Attributes
    ----------
    title
        Its AE title. Associations that call another one are rejected.
    peer_titles
        AE titles of peers that may connect; empty for any.
    peer_networks
        Addresses from which peers may connect; empty for any.
    max_associations
        Associations at the same time. Each may take as much memory as the largest object.
    max_bytes
        Size of the largest object.
    tls
        For connections over TLS.
    """

    host: str
    port: int
    title: str
    peer_titles: tuple[str, ...] = ()
    peer_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    max_associations: int = 8
    max_bytes: int = 100_000_000
    tls: ssl.SSLContext | None = None

    def allows(self, address: str) -> bool:
        """Return whether a peer may connect from this address."""
        peer = ip_address(address.partition("%")[0])
        return not self.peer_networks or any(peer in network for network in self.peer_networks)


class BoundedServer(ThreadedAssociationServer):
    """A server in a thread of its own, started at once.

    Parameters
    ----------
    entity
        The application entity, with the contexts that it supports.
    listening
        Where and to whom it listens.
    handlers
        Events of pynetdicom and their handlers.

    Raises
    ------
    OSError
        The address is in use, or is none of this machine.
    """

    def __init__(self, entity: AE, listening: Listening, handlers: list[tuple[Any, ...]]) -> None:
        self.listening = listening
        entity.network_timeout = IDLE_SECONDS
        entity.maximum_pdu_size = MAX_PDU_BYTES // 2
        super().__init__(
            entity,
            (listening.host, listening.port),
            listening.title,
            entity.supported_contexts,
            listening.tls,
            handlers,
            _BoundedHandler,
        )
        Thread(target=self.serve_forever, name="server", daemon=True).start()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection. pynetdicom would wait here for the TLS handshake of a peer, and for no other peer."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.settimeout(IDLE_SECONDS)
        if self.ssl_context is not None:
            connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def verify_request(self, _request: object, client_address: Any) -> bool:
        """Return whether to serve a connection."""
        address = client_address[0]
        if not self.listening.allows(address):
            LOG.warning("refused a connection from %s, which is not allowed", address)
            return False
        if len(self.active_associations) >= 2 * self.listening.max_associations:
            LOG.warning("refused a connection from %s, there are too many", address)
            return False
        return True

    def handle_error(self, _request: object, client_address: Any) -> None:
        """Log an error that has ended a connection."""
        error = sys.exc_info()[1]
        LOG.error("the connection from %s ended: %s", client_address[0], describe(error) if error else "")

    def shutdown(self) -> None:
        """Accept no more connections."""
        BaseServer.shutdown(self)
        self.server_close()


class _BoundedHandler(RequestHandler):
    server: BoundedServer

    def _create_association(self) -> Association:
        association = super()._create_association()
        _limit_receiving(association, self.server.listening.max_bytes)
        return association


def _limit_receiving(association: Association, max_bytes: int) -> None:
    """End a connection as soon as its peer announces a PDU, or sends a message, of too many bytes."""
    connection = association.dul.socket
    assert connection is not None
    receive, received = connection.recv, 0

    def receive_within_limits(nr_bytes: int) -> bytearray:
        nonlocal received
        received += nr_bytes
        if nr_bytes > MAX_PDU_BYTES or received > max_bytes:
            LOG.warning("closed the connection from %s, which sent too many bytes", association.requestor.address)
            raise OSError("too many bytes")  # for which pynetdicom closes it
        return receive(nr_bytes)

    def begin_next_message(_event: Event) -> None:
        nonlocal received
        received = 0

    connection.recv = receive_within_limits  # type: ignore[method-assign]
    association.bind(evt.EVT_DIMSE_RECV, begin_next_message)
