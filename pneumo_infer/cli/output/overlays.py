"""Write overlays as PNG files, in the same folder structure as the films."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pneumo_infer.cli.inputs import STDIN
from pneumo_infer.errors import PneumoError
from pneumo_infer.films.pictures import save_picture
from pneumo_infer.limits import Limits

if TYPE_CHECKING:
    from pneumo_infer.films.source import FilmSource
    from pneumo_infer.prediction import Prediction


LONGEST_NAME = 255  # bytes, on most file systems


def overlay_path(folder: Path, film: str) -> Path:
    """Return the path of a film's overlay: `FOLDER/ward3/a.jpeg.png` for `ward3/a.jpeg`.

    Films outside the working directory keep their absolute path below the folder, so overlays are never written outside
    it. Where two films would get the same name, or the name would be too long, it ends in a digest of the film's path.
    """
    absolute = Path(os.path.abspath(film))  # noqa: PTH100  # unlike resolve(), this keeps the names of symbolic links
    here = Path.cwd()
    if absolute.is_relative_to(here):
        relative = absolute.relative_to(here)
        ambiguous = film != STDIN and str(relative) == STDIN
    else:
        relative = absolute.relative_to(absolute.anchor)
        ambiguous = os.path.lexists(here / relative)
    name = f"{relative.name}.png"
    if ambiguous or len(os.fsencode(name)) > LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(absolute)).hexdigest()[:16]
        name = f"{os.fsencode(relative.name)[:200].decode(errors='ignore')}-{digest}.png"
    return folder / relative.parent / name


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
    if isinstance(film, io.IOBase):  # was already read to its end
        film.seek(0)
    save_picture(prediction.overlay(film, limits), path, "--heatmap")
