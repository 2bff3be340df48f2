"""What the OpenAPI description shows of requests and answers."""

from __future__ import annotations

from typing import Any

RECORD: dict[str, Any] = {
    "path": "film.png",
    "outcome": "PNEUMONIA",
    "reason": None,
    "label": "PNEUMONIA",
    "probability": 0.9997,
    "threshold": 0.7027,
    "operating_point": "balanced",
    "in_domain": True,
    "domain_distance": 20.8,
    "model": "pneumo-resnet50-int8.onnx",
    "device": "cpu",
    "error": None,
    "model_sha256": "8032a317…",
    "model_provenance": "released",
    "film_bytes": 48213,
    "film_modified": None,
}
BROKEN = RECORD | {
    "path": "letter.pdf",
    "outcome": None,
    "label": None,
    "probability": None,
    "in_domain": None,
    "domain_distance": None,
    "error": "letter.pdf: not a JPEG, JPEG 2000, PNG, TIFF, BMP, WebP or DICOM file; convert it to PNG",
    "film_bytes": 1024,
}
BINARY = {"type": "string", "format": "binary"}
WHOLE_BODY = {"application/octet-stream": {"schema": BINARY}}


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"multipart/form-data": {"schema": {"type": "object", "properties": {"film": schema}}}}


def _error(description: str, text: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": {"error": text}}}}


ONE_FILM = {"requestBody": {"required": True, "content": WHOLE_BODY | _form(BINARY)}}
ONE_FILM_OR_MORE = {
    "requestBody": {"required": True, "content": WHOLE_BODY | _form({"type": "array", "items": BINARY})}
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: _error("The token is missing or wrong.", "token: is missing or wrong; send it as Authorization: Bearer TOKEN"),
    408: _error("The request arrived too slowly.", "request: arrives too slowly; use a faster connection, or …"),
    413: _error(
        "Too many bytes or films.", "request: has more than 64 films; send fewer at a time, or raise --max-films"
    ),
    422: _error(
        "No film, or a parameter is wrong.", "request: has no film; send one as the body, or several as files …"
    ),
    503: _error(
        "The queue is full. `Retry-After` says when to try again.",
        "queue: 128 requests are in it; repeat the request after 1 s",
    ),
    504: _error("The answer took too long.", "request: took more than 60 s; send fewer films at a time"),
}
PREDICTIONS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The record of one film, or a list of records.",
        "content": {
            "application/json": {
                "examples": {
                    "one film as the body": {"value": RECORD},
                    "a form with two films": {"value": [RECORD, BROKEN]},
                }
            }
        },
    },
    **REFUSALS,
}
OVERLAY: dict[int | str, dict[str, Any]] = {
    200: {"description": "The film with the evidence over it.", "content": {"image/png": {"schema": BINARY}}},
    **REFUSALS,
}
MODEL: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The model.",
        "content": {
            "application/json": {
                "example": {
                    "model": "pneumo-resnet50-int8.onnx",
                    "device": "cpu",
                    "operating points": {"balanced": {"threshold": 0.7027, "sensitivity": 0.97, "specificity": 0.97}},
                    "uncertain band": [0.56, 0.85],
                    "threshold": 0.7027,
                    "operating point": "balanced",
                }
            }
        },
    },
    401: REFUSALS[401],
}


def with_nulls(openapi: dict[str, Any]) -> dict[str, Any]:
    """Put the example records into a description again, since FastAPI has dropped their fields that are null."""
    openapi["paths"]["/v1/predictions"]["post"]["responses"]["200"]["content"] = PREDICTIONS[200]["content"]
    return openapi
