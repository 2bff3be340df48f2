"""Classify films on a Ray cluster: a callable for Ray Data, and a command that processes a folder.

python -m pneumo_infer.ray films/ --output answers.parquet
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pneumo_infer.classifier import Classifier
from pneumo_infer.cli.inputs import as_named_stream
from pneumo_infer.errors import MissingExtraError, PneumoError
from pneumo_infer.films.raster import FILE_SUFFIXES
from pneumo_infer.model.session import Device
from pneumo_infer.prediction import RECORD_FIELDS

if TYPE_CHECKING:
    import pyarrow
    from numpy.typing import NDArray
    from ray.data import Dataset

BATCH_SIZE = 16
# CPUs that Ray reserves for each classifier and for each task that reads or writes files, which mostly waits for I/O.
# If classifiers reserved whole CPUs, they could take all of them, leaving none to read the films they wait for.
CLASSIFIER_CPUS, IO_CPUS = 0.9, 0.05


class PneumoBatch:
    """Classifies batches of encoded films. Each Ray actor creates one, with its own session.

    Parameters
    ----------
    model, device, threshold
        As for `Classifier`.
    threads
        CPU threads of each actor. Reserve the same number of CPUs: `map_batches(..., num_cpus=threads)`.

    Examples
    --------
    >>> films = ray.data.read_binary_files("films/", include_paths=True)
    >>> answers = films.map_batches(PneumoBatch, batch_size=16, concurrency=(1, 4), num_cpus=1)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        device: Device = "auto",
        threads: int = 1,
        threshold: float | str | None = None,
    ) -> None:
        self._classifier = Classifier(model, device=device, threads=threads, threshold=threshold)

    def __call__(self, batch: dict[str, NDArray[Any]]) -> pyarrow.Table:
        """Classify one batch.

        Parameters
        ----------
        batch
            `bytes`, the encoded films, and `path`, their names, as from `read_binary_files(include_paths=True)`.

        Returns
        -------
        pyarrow.Table
            One row per film, in the same order, with `RECORD_FIELDS` as columns. `error` is set if a film cannot be
            read; other films are not affected.
        """
        import pyarrow

        films = [as_named_stream(film, str(path)) for film, path in zip(batch["bytes"], batch["path"], strict=True)]
        records = [answer.to_dict() for answer in self._classifier.predict_many(films, batch_size=BATCH_SIZE)]
        return pyarrow.Table.from_pylist(records, schema=_schema())


def score_folder(folder: str, actors: int, **classifier: Any) -> Dataset:
    """Classify all films below a folder.

    Parameters
    ----------
    folder
        A local folder, or the address of one in any storage that Ray supports.
    actors
        Number of actors that classify in parallel.
    **classifier
        Arguments for `PneumoBatch`.

    Returns
    -------
    ray.data.Dataset
        One row per film, with `RECORD_FIELDS` as columns.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    """
    try:
        import ray.data
    except ModuleNotFoundError as error:
        raise MissingExtraError("ray", "ray") from error
    suffixes = [suffix.removeprefix(".") for suffix in FILE_SUFFIXES]
    films = ray.data.read_binary_files(folder, include_paths=True, file_extensions=suffixes, num_cpus=IO_CPUS)
    return films.map_batches(
        PneumoBatch,
        batch_size=BATCH_SIZE,
        concurrency=actors,
        num_cpus=CLASSIFIER_CPUS,
        fn_constructor_kwargs=classifier,
    )


def _schema() -> pyarrow.Schema:
    # An explicit schema, so that the types do not depend on whether a batch contains unreadable films.
    import pyarrow

    types = {
        "probability": pyarrow.float64(),
        "threshold": pyarrow.float64(),
        "domain_distance": pyarrow.float64(),
        "in_domain": pyarrow.bool_(),
        "film_bytes": pyarrow.int64(),
        "film_modified": pyarrow.float64(),
    }
    return pyarrow.schema([(field, types.get(field, pyarrow.string())) for field in RECORD_FIELDS])


def main(
    folder: Annotated[str, typer.Argument(help="Folder of films, local or in any storage that Ray supports.")],
    output: Annotated[Path, typer.Option(help="New folder for the Parquet files.")],
    actors: Annotated[int, typer.Option(min=1, help="Parallel classifiers, one CPU each.")] = os.cpu_count() or 1,
    model: Annotated[Path | None, typer.Option(help="ONNX model file. Default: the packaged model.")] = None,
    threshold: Annotated[str | None, typer.Option(help="Name of an operating point of the model.")] = None,
) -> None:
    """Classify a folder of films on the Ray cluster at RAY_ADDRESS, or on a local one."""
    try:
        if output.exists():
            raise PneumoError(str(output), "already exists", "choose another --output")
        answers = score_folder(folder, actors, model=model and str(model), threshold=threshold)
        with tempfile.TemporaryDirectory(dir=output.absolute().parent, prefix=".scoring-") as staged:
            complete = Path(staged).absolute() / "answers"
            answers.write_parquet(str(complete), ray_remote_args={"num_cpus": IO_CPUS})
            complete.rename(output)
    except PneumoError as error:
        typer.echo(f"pneumo-infer: {error}", err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    typer.run(main)
