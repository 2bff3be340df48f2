"""Receive the films of a request into bounded memory. Nothing is written to disk, as web frameworks do by default."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import NamedTuple

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pneumo_infer.films.source import source_name
from pneumo_infer.serve.http.budget import Reservation
from pneumo_infer.serve.http.errors import CLOSE, RequestError
from pneumo_infer.serve.http.settings import Settings

SLOWEST = 1_000_000  # bytes per second, on average, after the first `client_seconds`


class Upload(NamedTuple):
    """A film as it was sent: its name, or a description if it has none, and its bytes."""

    name: str
    encoded: bytes


class Received(NamedTuple):
    """The films of a request, and whether they were sent as a form, which may have several."""

    films: list[Upload]
    is_form: bool


def declared_size(request: Request, settings: Settings) -> int | None:
    """Return the size that a request has announced for its body, if any.

    Raises
    ------
    RequestError
        It is above the limit.
    """
    length = request.headers.get("content-length")
    if length is None:
        return None
    return _within(int(length), settings)


async def receive_films(request: Request, settings: Settings, reservation: Reservation) -> Received:
    """Receive the films of a request: the files of a form, or one film as the whole body.

    Parameters
    ----------
    reservation
        Has room for the announced size of the body; grows if none was announced.

    Raises
    ------
    RequestError
        The request is too large, too slow, malformed, or has no film.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    is_form = kind == b"multipart/form-data"
    body = _Form(options.get(b"boundary", b""), settings.max_films) if is_form else _Raw()
    async for chunk in _chunks(request, settings, reservation):
        body.write(chunk)
    films = body.films()
    if not films or (not is_form and not films[0].encoded):
        raise _invalid("has no film", "send one as the body, or several as files of a form")
    return Received(films, is_form)


async def _chunks(request: Request, settings: Settings, reservation: Reservation) -> AsyncIterator[bytes]:
    announced = "content-length" in request.headers
    loop = asyncio.get_running_loop()
    began, size = loop.time(), 0
    stream = request.stream()
    while True:
        latest = began + settings.client_seconds + size / SLOWEST
        try:
            async with asyncio.timeout_at(min(latest, loop.time() + settings.client_seconds)):
                chunk = await anext(stream, None)
        except TimeoutError:
            problem, remedy = "arrives too slowly", "use a faster connection, or send fewer films at a time"
            raise RequestError(HTTPStatus.REQUEST_TIMEOUT, "request", problem, remedy, CLOSE) from None
        if chunk is None:
            return
        if not announced:
            _within(size + len(chunk), settings)
            reservation.grow(len(chunk))
        size += len(chunk)
        yield chunk


def _within(size: int, settings: Settings) -> int:
    most = settings.limits.encoded_bytes
    if size > most:
        problem, remedy = f"has more than {most} bytes", "send fewer films at a time, or raise --max-request"
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request", problem, remedy)
    return size


def _invalid(problem: str, remedy: str) -> RequestError:
    return RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, "request", problem, remedy)


class _Raw:
    """A body that is one film."""

    def __init__(self) -> None:
        self._film = bytearray()

    def write(self, chunk: bytes) -> None:
        self._film += chunk

    def films(self) -> list[Upload]:
        encoded = bytes(self._film)
        return [Upload(source_name(encoded), encoded)]


class _Form:
    """A form with films (RFC 7578)."""

    def __init__(self, boundary: bytes, max_films: int) -> None:
        self._max_films = max_films
        self._films: list[Upload] = []
        self._header, self._value = b"", b""
        self._name: str | None = None
        self._film = bytearray()  # a list of chunks would let a film of boundaries that fail take many times its size
        self._complete = False
        if not boundary:
            raise _invalid("is a form without a boundary", "let the HTTP library set Content-Type")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_header,
                    "on_header_value": self._on_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._on_data,
                    "on_part_end": self._end,
                    "on_end": self._end_form,
                },
            )
        except FormParserError as error:
            raise _malformed(error) from error

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _malformed(error) from error

    def films(self) -> list[Upload]:
        if not self._complete:
            raise _invalid("is a form that is cut off", "send it again")
        return self._films

    def _begin(self) -> None:
        if len(self._films) == self._max_films:
            problem, remedy = f"has more than {self._max_films} films", "send fewer at a time, or raise --max-films"
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request", problem, remedy)
        self._name = None

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            if b"filename" in options:
                self._name = options[b"filename"].decode("utf-8", "surrogateescape")
        self._header = self._value = b""

    def _end_headers(self) -> None:
        if self._name is None:
            raise _invalid("has a field that is not a file", "send films as files, and options in the address")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._film += data[start:end]

    def _end(self) -> None:
        encoded = bytes(self._film)
        self._film = bytearray()
        self._films.append(Upload(self._name or source_name(encoded), encoded))

    def _end_form(self) -> None:
        self._complete = True


def _malformed(error: FormParserError) -> RequestError:
    return _invalid(f"is a malformed form ({error})", "let the HTTP library build it")
