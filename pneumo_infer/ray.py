"""Films scored by a Ray cluster: a callable for Ray Data, and a command that scores a folder.

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
# Processors that Ray reserves. Reading and writing mostly wait. If classifiers reserved whole ones, they could take all
# that a machine has and wait for ever for films, with nothing left to read them.
FOR_A_CLASSIFIER, FOR_FILES = 0.9, 0.05


class PneumoBatch:
    """Scores batches of encoded films; each of Ray's actors makes one, and with it a session of its own.

    Parameters
    ----------
    model, device, threshold
        As for `Classifier`.
    threads
        CPU threads of each actor. Reserve as many: `map_batches(..., num_cpus=threads)`.

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
        """Score one batch.

        Parameters
        ----------
        batch
            `bytes`, the encoded films, and `path`, their names: what `read_binary_files(include_paths=True)` gives.

        Returns
        -------
        pyarrow.Table
            The fields of a record, a row a film in the same order; `error` is set where a film could not be read, and
            no film stops the others.
        """
        import pyarrow

        films = [as_named_stream(film, str(path)) for film, path in zip(batch["bytes"], batch["path"], strict=True)]
        records = [answer.to_dict() for answer in self._classifier.predict_many(films, batch_size=BATCH_SIZE)]
        return pyarrow.Table.from_pylist(records, schema=_schema())


def score_folder(folder: str, actors: int, **classifier: Any) -> Dataset:
    """Score all films below a folder, on this machine or any store that Ray reads, with `actors` at once.

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
    films = ray.data.read_binary_files(folder, include_paths=True, file_extensions=suffixes, num_cpus=FOR_FILES)
    return films.map_batches(
        PneumoBatch,
        batch_size=BATCH_SIZE,
        concurrency=actors,
        num_cpus=FOR_A_CLASSIFIER,
        fn_constructor_kwargs=classifier,
    )


def _schema() -> pyarrow.Schema:
    # Named, not guessed: a batch without a failure must have the same types as one of nothing but failures.
    import pyarrow

    types = {
        "probability": pyarrow.float64(),
        "threshold": pyarrow.float64(),
        "domain_distance": pyarrow.float64(),
        "in_domain": pyarrow.bool_(),
    }
    return pyarrow.schema([(field, types.get(field, pyarrow.string())) for field in RECORD_FIELDS])


def main(
    folder: Annotated[str, typer.Argument(help="A folder of films, or its address in a store that Ray reads.")],
    output: Annotated[Path, typer.Option(help="A new folder for the Parquet files.")],
    actors: Annotated[int, typer.Option(min=1, help="Classifiers at once, one processor each.")] = os.cpu_count() or 1,
    model: Annotated[Path | None, typer.Option(help="Another model than the one that ships.")] = None,
    threshold: Annotated[str | None, typer.Option(help="An operating point of the model.")] = None,
) -> None:
    """Score a folder of films on a Ray cluster: the one of RAY_ADDRESS, or one on this machine."""
    try:
        if output.exists():
            raise PneumoError(str(output), "exists already", "name another --output")
        answers = score_folder(folder, actors, model=model and str(model), threshold=threshold)
        with tempfile.TemporaryDirectory(dir=output.absolute().parent, prefix=".scoring-") as staged:
            whole = Path(staged).absolute() / "answers"
            answers.write_parquet(str(whole), ray_remote_args={"num_cpus": FOR_FILES})
            whole.rename(output)
    except PneumoError as error:
        typer.echo(f"pneumo-infer: {error}", err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    typer.run(main)
