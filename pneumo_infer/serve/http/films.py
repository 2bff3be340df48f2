"""Answer films: records with what else was asked for, and overlays."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Request

from pneumo_infer.decision import decide_again, number_or_name, resolve_threshold
from pneumo_infer.errors import ModelError
from pneumo_infer.overlay import MAX_OPACITY, evidence_layer
from pneumo_infer.serve.http.batcher import Answer, Batcher
from pneumo_infer.serve.http.body import Received, declared_size, receive_films
from pneumo_infer.serve.http.budget import Budget
from pneumo_infer.serve.http.errors import RequestError, busy
from pneumo_infer.serve.http.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

VIEW_SIDE = 1024  # pixels of the longer side of a film that is shown
PICTURE_BYTES = 8 * VIEW_SIDE**2  # what a film for display and its pictures take until they are sent
LAYER_SIDE = 256  # evidence is smooth, so the browser may enlarge it
Made = TypeVar("Made")


class Films:
    """Answers requests with films, within their limits.

    Parameters
    ----------
    settings
        The limits.
    batcher
        Answers the films.
    """

    def __init__(self, settings: Settings, batcher: Batcher) -> None:
        self.settings = settings
        self.batcher = batcher
        self.budget = Budget(settings.queue_requests, settings.queue_bytes, batcher.retry_after)
        self._drawing = ThreadPoolExecutor(batcher.classifier.threads, thread_name_prefix="pneumo-draw")

    def close(self) -> None:
        """Finish the pictures that are being drawn."""
        self._drawing.shutdown(cancel_futures=True)

    async def records(self, request: Request, threshold: str | None, heatmap: bool, pictures: bool) -> Any:
        """Answer with the record of the film that is the body, or a list of records for a form.

        Parameters
        ----------
        threshold
            A probability or the name of an operating point, as text; None for that of the service.
        heatmap
            Add the evidence as numbers.
        pictures
            Add the film, and the evidence to lay over it, as PNG. Only for one film.

        Raises
        ------
        RequestError
            The request is refused, or could not be answered in time.
        """
        async with self._answered(request, threshold, view=pictures) as (received, answers):
            records = []
            for answer in answers:
                record = answer.prediction.to_dict()
                shown = answer.prediction.error is None
                if heatmap:
                    evidence = answer.prediction.heatmap
                    record["heatmap"] = None if evidence is None else evidence.tolist()
                if pictures:
                    record["pictures"] = await self._draw(_pictures, answer) if shown else None
                records.append(record)
            return records if received.is_form else records[0]

    async def overlay(self, request: Request, threshold: str | None) -> bytes:
        """Answer with the overlay of one film, as PNG.

        Raises
        ------
        RequestError
            As for `records`, or the film cannot be read.
        """
        async with self._answered(request, threshold, view=True) as (_, (answer,)):
            error = answer.prediction.error
            if error is not None:
                raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, error.subject, error.problem, error.remedy)
            return await self._draw(_overlay, answer)

    @asynccontextmanager
    async def _answered(
        self, request: Request, threshold: str | None, *, view: bool
    ) -> AsyncIterator[tuple[Received, list[Answer]]]:
        """Receive the films of a request and answer them; within the block they count as queued."""
        resolved = self._resolve(threshold)
        size = declared_size(request, self.settings) or 0
        with self.budget.request(size + (PICTURE_BYTES if view else 0)) as reservation:
            received = await receive_films(request, self.settings, reservation)
            if view and len(received.films) > 1:
                problem, remedy = f"has {len(received.films)} films", "send a film at a time if you ask for pictures"
                raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, "request", problem, remedy)
            try:
                answers = await self._answers(request, received, VIEW_SIDE if view else None)
                if resolved is not None:
                    answers = [
                        answer._replace(prediction=decide_again(answer.prediction, *resolved)) for answer in answers
                    ]
                yield received, answers
            except asyncio.CancelledError:  # by uvicorn, when its time for a graceful stop is over
                raise busy("service", "is being stopped", 10) from None

    def _resolve(self, threshold: str | None) -> tuple[float, str | None] | None:
        if threshold is None:
            return None
        try:
            return resolve_threshold(self.batcher.classifier.model, number_or_name(threshold))
        except ModelError as error:
            raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, error.subject, error.problem, error.remedy) from error

    async def _answers(self, request: Request, received: Received, view: int | None) -> list[Answer]:
        answers = asyncio.gather(*map(asyncio.wrap_future, self.batcher.submit(received.films, view)))
        gone = asyncio.ensure_future(_disconnect(request))
        try:
            await asyncio.wait(
                (answers, gone), timeout=self.settings.answer_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if answers.done():
                return await answers
            if gone.done():
                gone.result()
            problem, remedy = f"took more than {self.settings.answer_seconds} s", "send fewer films at a time"
            raise RequestError(HTTPStatus.GATEWAY_TIMEOUT, "request", problem, remedy)
        finally:
            for task in (answers, gone):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _draw(self, draw: Callable[[Answer], Made], answer: Answer) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self._drawing, draw, answer)


async def _disconnect(request: Request) -> None:
    """Raise ClientDisconnect once the client has gone."""
    from starlette.requests import ClientDisconnect

    while (await request.receive())["type"] != "http.disconnect":
        pass
    raise ClientDisconnect


def _pictures(answer: Answer) -> dict[str, Any]:
    from PIL import Image

    prediction, film = answer.prediction, answer.view
    assert film is not None
    assert prediction.heatmap is not None
    assert prediction.probability is not None
    height, width = film.shape
    scale = LAYER_SIDE / max(height, width)
    layer = evidence_layer(
        prediction.heatmap, prediction.probability, max(1, round(width * scale)), max(1, round(height * scale))
    )
    return {
        "film": _as_url(Image.fromarray(film)),
        "evidence": _as_url(layer),
        "width": width,
        "height": height,
        "opacity": MAX_OPACITY,
    }


def _overlay(answer: Answer) -> bytes:
    assert answer.view is not None
    return _as_png(answer.prediction.overlay(answer.view))


def _as_url(picture: Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(_as_png(picture)).decode()}"


def _as_png(picture: Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="PNG", compress_level=1)  # of films, higher levels gain little and take far longer
    return out.getvalue()
