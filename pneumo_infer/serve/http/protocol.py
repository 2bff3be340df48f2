"""uvicorn's protocol, with an end to clients that take their time. It only limits idle connections by itself."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 1000
ERROR = b'{"error": "connections: too many are open; repeat the request after 1 s"}'
TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(ERROR), ERROR)
)


class PunctualProtocol(H11Protocol):
    """Cuts off clients that take longer than `timeout_keep_alive` for a head, or take nothing of an answer for so long.

    The time for bodies is limited where they are received.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.write(TOO_MANY)
            self._abort_later()
            transport.close()
        else:
            self._head_timer = self._abort_later()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._waits_for_head and self._head_timer is None:
            self._head_timer = self._abort_later()
        super().data_received(data)
        if not self._waits_for_head:
            self._stop_head_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self._abort_later()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():  # once the client has taken the answer, which it may never do
            self._abort_later()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._abort_later()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_head_timer()
        self._stop_write_timer()

    @property
    def _waits_for_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _abort_later(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
