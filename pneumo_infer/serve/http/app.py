"""The application: what is at which address."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.middleware.cors import CORSMiddleware

from pneumo_infer import __version__
from pneumo_infer.classifier import Classifier
from pneumo_infer.cli.command import SAMPLES
from pneumo_infer.cli.output.info import describe_model
from pneumo_infer.cli.output.records import to_json
from pneumo_infer.errors import ImageError
from pneumo_infer.serve.http import examples
from pneumo_infer.serve.http.batcher import Batcher
from pneumo_infer.serve.http.errors import answer_errors
from pneumo_infer.serve.http.films import Films
from pneumo_infer.serve.http.guard import Guard, SecurityHeaders
from pneumo_infer.serve.http.metrics import Metrics
from pneumo_infer.serve.http.page import add_page
from pneumo_infer.serve.http.requests import DrainBody, RequestLog
from pneumo_infer.serve.http.settings import VARIABLE, Settings

DESCRIPTION = (
    "Classifies frontal chest X-ray films as NORMAL or PNEUMONIA. "
    "Decision support for research, not a cleared medical device: a qualified reader decides."
)
Threshold = Annotated[
    str | None,
    Query(
        max_length=100, description="Probability from 0 to 1, or name of an operating point.", examples=["screening"]
    ),
]
router = APIRouter()


def create_app(settings: Settings) -> FastAPI:
    """Build the application. It opens its model when it is started, and frees it when it is stopped."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        classifier = _open_classifier(settings)
        with suppress(ImageError):  # starts a process that reads films, so that the first request is not slow
            classifier.predict(SAMPLES / "normal.png")
        batcher = Batcher(classifier, settings.batch_size, metrics)
        films = app.state.films = Films(settings, batcher)
        metrics.watch_queue(
            requests=lambda: films.budget.requests, bytes=lambda: films.budget.bytes, films=lambda: batcher.waiting
        )
        yield
        films.close()
        batcher.close()

    app = FastAPI(
        title="pneumo-infer",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.metrics = metrics
    app.include_router(router)
    description = examples.with_nulls(app.openapi())
    app.openapi = lambda: description  # type: ignore[method-assign]  # FastAPI's own way to change it
    add_page(app)
    answer_errors(app)
    # The last one is outermost.
    app.add_middleware(Guard, settings=settings)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.origins, allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(DrainBody, seconds=settings.client_seconds)
    app.add_middleware(RequestLog, metrics=metrics)
    return app


def create_app_in_worker() -> FastAPI:
    """Build the application in a worker process."""
    return create_app(Settings.from_json(os.environ[VARIABLE]))


def _open_classifier(settings: Settings) -> Classifier:
    return Classifier(
        settings.model,
        device=settings.device,
        threads=settings.threads,
        threshold=settings.threshold,
        limits=settings.limits,
        isolate=settings.isolate,
    )


@router.post(
    "/v1/predictions", summary="Classify films", responses=examples.PREDICTIONS, openapi_extra=examples.ONE_FILM_OR_MORE
)
async def predict(
    request: Request,
    threshold: Threshold = None,
    heatmap: Annotated[bool, Query(description="Add the evidence, as a square of numbers.")] = False,
    pictures: Annotated[
        bool, Query(description="Add the film, and the evidence to lay over it, as PNG in data URLs. One film only.")
    ] = False,
) -> Response:
    """Return the record of a film that is the body, or a list of records, in order, for a form with films.

    A film that cannot be read has an `error` in its record; the others are not affected.
    """
    return _json(await _films(request).records(request, threshold, heatmap, pictures))


@router.post("/v1/overlays", summary="Draw the evidence", responses=examples.OVERLAY, openapi_extra=examples.ONE_FILM)
async def draw_overlay(request: Request, threshold: Threshold = None) -> Response:
    """Return one film with the evidence drawn over it, as PNG of at most 1024 pixels on the longer side."""
    return Response(await _films(request).overlay(request, threshold), media_type="image/png")


@router.get("/v1/model", summary="Describe the model", responses=examples.MODEL)
async def describe(request: Request) -> Response:
    """Return what `pneumo-infer --info` says of the model, and the threshold for requests that name none."""
    classifier = _films(request).batcher.classifier
    chosen = {"threshold": classifier.threshold, "operating point": classifier.operating_point}
    about = {"model": classifier.model.path.name, "device": classifier.device}
    return _json(about | describe_model(classifier.model) | chosen)


@router.get("/health/live", summary="The process answers")
async def live() -> dict[str, str]:
    """Return 200 as long as the process answers at all. Restart it otherwise."""
    return {"status": "live"}


@router.get("/health/ready", summary="Films can be sent")
async def ready(request: Request) -> Response:
    """Return 200 if the model is open and films are answered, else 503."""
    if _films(request).batcher.alive:
        return JSONResponse({"status": "ready"})
    return JSONResponse({"status": "not ready"}, HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Return numbers of films by outcome, times, queue and domain distances, in the text format of Prometheus."""
    return Response(request.app.state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _films(request: Request) -> Films:
    films: Films = request.app.state.films
    return films


def _json(value: Any) -> Response:
    return Response(to_json(value), media_type="application/json")
