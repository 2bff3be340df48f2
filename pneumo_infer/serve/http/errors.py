"""Requests that are refused as a whole, and the answers to them. A film that cannot be read has an error of its own."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pneumo_infer.errors import ModelError, PneumoError

CLOSE = {"Connection": "close"}


class RequestError(PneumoError):
    """A request that is refused.

    Parameters
    ----------
    status
        The status of the answer.
    subject, problem, remedy
        As for `PneumoError`.
    headers
        Further headers of the answer.
    """

    def __init__(
        self, status: HTTPStatus, subject: str, problem: str, remedy: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(subject, problem, remedy)
        self.status = status
        self.headers = headers


def busy(subject: str, problem: str, seconds: int) -> RequestError:
    """Refuse a request that may be repeated after some seconds."""
    remedy, headers = f"repeat the request after {seconds} s", {"Retry-After": str(seconds)}
    return RequestError(HTTPStatus.SERVICE_UNAVAILABLE, subject, problem, remedy, headers)


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer with an error, as all errors are answered: `{"error": "SUBJECT: PROBLEM; REMEDY"}`."""
    return JSONResponse({"error": message}, status, headers)


def answer_errors(app: FastAPI) -> None:
    """Have an app answer errors in this form."""
    app.add_exception_handler(RequestError, _answer_refused)
    app.add_exception_handler(ModelError, _answer_model_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)


def _answer_refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return error_response(error.status, str(error), error.headers)


def _answer_model_error(_request: Request, error: Exception) -> Response:
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


def _answer_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    (first, *_) = error.errors()
    problem = PneumoError(str(first["loc"][-1]), str(first["msg"]), "see the documentation at docs")
    return error_response(HTTPStatus.UNPROCESSABLE_ENTITY, str(problem))


def _answer_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = PneumoError("request", error.detail, "see the documentation at docs")
    return error_response(error.status_code, str(problem), dict(error.headers or {}))


def _answer_nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.BAD_REQUEST)  # the client has gone, so this is only counted
