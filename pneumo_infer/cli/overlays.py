"""Overlays written for many films: a PNG each, in folders as the films have them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pneumo_infer.atomic_write import replacing
from pneumo_infer.errors import PneumoError
from pneumo_infer.limits import Limits

if TYPE_CHECKING:
    from pneumo_infer.films.raster import FilmSource
    from pneumo_infer.prediction import Prediction


def overlay_path(folder: Path, film: str) -> Path:
    """Where a film's overlay goes: `ward3/a.jpeg` to `FOLDER/ward3/a.jpeg.png`.

    A film outside the working directory keeps its whole path below the folder, so that no two films share an overlay
    and none lands elsewhere.
    """
    whole = Path(os.path.abspath(film))  # noqa: PTH100  # symbolic links keep the names that the caller knows
    here = Path.cwd()
    inside = whole.relative_to(here if whole.is_relative_to(here) else whole.anchor)
    return folder / inside.parent / f"{inside.name}.png"


def write_overlays(
    predictions: Iterable[Prediction],
    films: Iterable[FilmSource],
    folder: Path,
    limits: Limits,
    report: Callable[[PneumoError], None],
) -> Iterator[Prediction]:
    """Pass predictions on, and draw each one's evidence over its film; films that failed have none.

    Parameters
    ----------
    films
        Those of the predictions, in the same order.
    limits
        How large a film may be.
    report
        Told when an overlay could not be written; the others are written all the same.
    """
    for prediction, film in zip(predictions, films, strict=True):
        if prediction.error is None:
            try:
                _write_overlay(prediction, film, limits, overlay_path(folder, prediction.path))
            except PneumoError as error:
                report(error)
        yield prediction


def _write_overlay(prediction: Prediction, film: FilmSource, limits: Limits, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(film, io.IOBase):  # read to its end once already
            film.seek(0)
        with replacing(path) as temporary:
            prediction.overlay(film, limits).save(temporary, format="PNG")
    except OSError as error:
        raise PneumoError(str(path), f"cannot be written ({error.strerror})", "name another --heatmap") from error
