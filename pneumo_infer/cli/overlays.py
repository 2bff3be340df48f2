"""Write overlays as PNG files, in the same folder structure as the films."""

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
    from pneumo_infer.films.source import FilmSource
    from pneumo_infer.prediction import Prediction


def overlay_path(folder: Path, film: str) -> Path:
    """Return the path of a film's overlay: `FOLDER/ward3/a.jpeg.png` for `ward3/a.jpeg`.

    Films outside the working directory keep their absolute path below the folder, so overlays never collide and are
    never written outside it.
    """
    absolute = Path(os.path.abspath(film))  # noqa: PTH100  # unlike resolve(), this keeps the names of symbolic links
    here = Path.cwd()
    relative = absolute.relative_to(here if absolute.is_relative_to(here) else absolute.anchor)
    return folder / relative.parent / f"{relative.name}.png"


def write_overlays(
    predictions: Iterable[Prediction],
    films: Iterable[FilmSource],
    folder: Path,
    limits: Limits,
    report: Callable[[PneumoError], None],
) -> Iterator[Prediction]:
    """Write an overlay for each readable film, and yield the predictions unchanged.

    Parameters
    ----------
    predictions
        The predictions for `films`, in the same order.
    films
        The films.
    folder
        The folder for the overlays.
    limits
        Size limits of films.
    report
        Called with the error if an overlay cannot be written. The remaining overlays are still written.
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
        if isinstance(film, io.IOBase):  # was already read to its end
            film.seek(0)
        with replacing(path) as temporary:
            prediction.overlay(film, limits).save(temporary, format="PNG")
    except OSError as error:
        raise PneumoError(str(path), f"cannot be written ({error.strerror})", "choose another --heatmap") from error
