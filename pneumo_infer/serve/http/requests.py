"""What surrounds each request: its log line and time, and the rest of a body that nobody wants."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pneumo_infer.serve.http.metrics import Metrics

LOG = logging.getLogger("uvicorn.error.requests")


class RequestLog:
    """Logs and times requests. It names the route and not the address, in which a client may have put anything."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            seconds = time.monotonic() - began
            self._metrics.requests.labels(route, str(status)).observe(seconds)
            LOG.info("%s %s %s in %.3f s", scope["method"], route, status, seconds)


class DrainBody:
    """Takes in and discards what is left of a body after an early answer, for some seconds.

    Many clients read nothing until they have sent everything, and a connection that is closed before resets them.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A client that expects 100-continue has sent no body, and will not.
        if scope["type"] != "http" or "expect" in Headers(scope=scope):
            await self._app(scope, receive, send)
            return
        more, closes = True, False

        async def receiving() -> Message:
            nonlocal more
            message = await receive()
            more = message.get("more_body", False)
            return message

        async def sending(message: Message) -> None:
            nonlocal closes
            if message["type"] == "http.response.start":
                closes = Headers(raw=message["headers"]).get("connection") == "close"
            elif more and not closes and not message.get("more_body", False):
                await send({**message, "more_body": True})
                message = {"type": "http.response.body"}
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds):
                        while more:
                            await receiving()
            await send(message)

        await self._app(scope, receiving, sending)
