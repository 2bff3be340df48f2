"""Who may use the service, and what browsers may do with its answers."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pneumo_infer.serve.http.errors import error_response
from pneumo_infer.serve.http.settings import Settings

# The page runs its own script and style sheet, shows pictures that it was sent, and loads nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)
PROTECTED = ("/v1/", "/metrics")


class SecurityHeaders:
    """Adds `SECURITY_HEADERS` to each answer, and keeps answers out of caches."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class Guard:
    """Refuses requests without the token, and those that a web page from elsewhere has made.

    A page from elsewhere can give its own name to this machine's address (DNS rebinding), and is then of the same
    origin as the service; but not the name `localhost`.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            await error_response(*refusal)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[HTTPStatus, str, dict[str, str]] | None:
        headers = Headers(scope=scope)
        if self._settings.local_only and not LOCAL_HOST.fullmatch(headers.get("host", "")):
            remedy = "use localhost, or start it with --token or --no-auth"
            return HTTPStatus.MISDIRECTED_REQUEST, f"host: does not name this machine; {remedy}", {}
        if not scope["path"].startswith(PROTECTED) or scope["method"] == "OPTIONS":
            return None
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("origin") not in self._settings.origins:
            return HTTPStatus.FORBIDDEN, "origin: is another web page; start the service with --allow-origin", {}
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if self._settings.token_digest is None:
            return None
        if scheme.lower() == "bearer" and self._settings.accepts(token.strip()):
            return None
        challenge = {"WWW-Authenticate": "Bearer"}
        return HTTPStatus.UNAUTHORIZED, "token: is missing or wrong; send it as Authorization: Bearer TOKEN", challenge
