"""The Classifier: the main class of the Python API."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from pneumo_infer.cpu_count import cpu_count
from pneumo_infer.decision import decide, resolve_threshold
from pneumo_infer.errors import DeviceError, ImageError, excerpt
from pneumo_infer.films.prefetch import ReadFilm, read_batches
from pneumo_infer.films.preprocess import NetworkInput, fill_up, read_network_input
from pneumo_infer.films.raster import Film
from pneumo_infer.films.search.file_state import FileState, file_state
from pneumo_infer.films.source import FilmSource, source_name
from pneumo_infer.limits import LIMITS, MAX_BATCH, Limits
from pneumo_infer.model.contract import describe
from pneumo_infer.model.info import OUTPUTS
from pneumo_infer.model.outputs import check_outputs
from pneumo_infer.model.session import Device, open_session
from pneumo_infer.prediction import Prediction

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from pneumo_infer.films.isolated.pool import Workers


class Classifier:
    """Classifies chest X-ray films as NORMAL or PNEUMONIA.

    An instance is safe to use from several threads at once. It can be pickled; each process opens its own session.

    Parameters
    ----------
    model
        An ONNX file written by pneumo-export. None uses the packaged model: int8 on the CPU, fp16 on CUDA.
    device
        `auto`, `cpu` or `cuda`. The attribute `device` has the device that is actually used.
    threads
        CPU threads for one run of the network and for decoding. None uses all CPUs available to this process.
    threshold
        A probability from 0 to 1, the name of an operating point of the model, or None for the default one.
    limits
        Limits of films: their size, and the memory and time for reading one.
    isolate
        Read films in worker processes, as many as `threads`, in which the operating system enforces the limits on
        memory and time. A film that exceeds them, or ends its process, is an ImageError. Not on Windows.

    Raises
    ------
    ModelError
        The file is not a valid model, does not match SHA256SUMS next to it, or lacks the operating point. A prediction
        raises it too if the model answers with an impossible number, such as a probability of NaN.
    DeviceError
        The device is not available.
    MissingExtraError
        onnxruntime is not installed.

    Examples
    --------
    >>> classifier = Classifier()
    >>> prediction = classifier.predict("film.jpeg")
    >>> prediction.label, prediction.probability
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        device: Device = "auto",
        threads: int | None = None,
        threshold: float | str | None = None,
        limits: Limits = LIMITS,
        isolate: bool = False,
    ) -> None:
        self._arguments = {
            "model": model,
            "device": device,
            "threads": threads,
            "threshold": threshold,
            "limits": limits,
            "isolate": isolate,
        }
        self._process = os.getpid()
        opened = open_session(None if model is None else Path(model), device, threads)
        self._session: InferenceSession | None = opened.session
        self.device = opened.device
        self.threads = threads or cpu_count()
        self.limits = limits
        self._workers = _start_workers(limits) if isolate else None
        self._read = self._workers.read if self._workers else partial(read_network_input, limits=limits)
        self.model = describe(opened)
        self.threshold, self.operating_point = resolve_threshold(self.model, threshold)

    def predict(self, film: FilmSource) -> Prediction:
        """Classify one film.

        Parameters
        ----------
        film
            A path, bytes, a binary stream, a Pillow image or an array; see `pneumo_infer.films.raster.read_film`.

        Returns
        -------
        Prediction
            The result.

        Raises
        ------
        ImageError
            The film cannot be read.
        """
        state = file_state(film)
        return _with_state(self.predict_input(source_name(film), self._read(film)), state)

    def read(self, film: FilmSource, view: int | None = None) -> NetworkInput:
        """Read a film for `predict_inputs`, in a worker process if this classifier is isolated.

        Parameters
        ----------
        film
            Any film that `predict` accepts.
        view
            Also keep the whole film for display, with its longer side at most this many pixels.

        Raises
        ------
        ImageError
            The film cannot be read.
        """
        return self._read(film, view=view)

    def predict_input(self, name: str, film: NetworkInput) -> Prediction:
        """Classify a film that `read` has read; `name` is the path in the result."""
        return self.predict_inputs([(name, film)], batch_size=1)[0]

    def predict_inputs(self, films: Sequence[tuple[str, NetworkInput]], batch_size: int = 16) -> list[Prediction]:
        """Classify films that `read` has read, in one run of the network, in order.

        Parameters
        ----------
        films
            One film or more, at most `batch_size`, each with the path in its result.
        batch_size
            CUDA runs batches of this size, whatever the number of films.

        Raises
        ------
        DeviceError
            The device cannot run the network, most likely because its memory is too small for the batch.
        """
        image = np.stack([film.pixels for _, film in films])[:, :, :, None]
        if self.device == "cuda":
            image = fill_up(image, batch_size)
        outputs = self._run(image)
        check_outputs(outputs, len(image), self.model.heatmap_side, self.model.path.name)
        with np.errstate(all="ignore"):  # whatever the host program has set
            return [
                self._prediction(name, film, {key: values[row] for key, values in outputs.items()})
                for row, (name, film) in enumerate(films)
            ]

    def _run(self, image: Film) -> dict[str, NDArray[np.float32]]:
        session = self._open_session()
        try:
            values = session.run(OUTPUTS, {"image": image})
        except Exception as error:  # onnxruntime has a separate exception class for each status code
            problem = f"cannot run the network on {len(image)} films ({excerpt(str(error), 400)})"
            raise DeviceError(self.device, problem, "use smaller batches, or free memory") from error
        return dict(zip(OUTPUTS, values, strict=True))

    def unreadable(self, name: str, error: ImageError) -> Prediction:
        """Return the result for a film that cannot be read; `name` is the path in it."""
        return Prediction(
            path=name,
            outcome=None,
            reason=None,
            label=None,
            probability=None,
            in_domain=None,
            domain_distance=None,
            heatmap=None,
            error=error,
            **self._common_fields(),
        )

    def predict_many(self, films: Iterable[FilmSource], batch_size: int = 16) -> Iterator[Prediction]:
        """Classify films in batches, lazily and in order, and decode the next batch while the network runs.

        Parameters
        ----------
        films
            Any iterable, even an endless one, of films that `predict` accepts.
        batch_size
            Films per run of the network. With 1, each result is yielded before the next film is requested.

        Yields
        ------
        Prediction
            One for each film. If the film cannot be read, `error` is set; other films are not affected.

        Raises
        ------
        ValueError
            `batch_size` is not from 1 to 65,536.
        """
        if not 1 <= batch_size <= MAX_BATCH:
            raise ValueError(f"batch_size must be from 1 to {MAX_BATCH}, not {batch_size}")
        states: deque[FileState] = deque()
        batches = read_batches(_noting_states(films, states), batch_size, self.threads, self._read)
        return (
            _with_state(prediction, states.popleft())
            for batch in batches
            for prediction in self._classify_batch(batch, batch_size)
        )

    def _classify_batch(self, batch: list[ReadFilm], batch_size: int) -> Iterator[Prediction]:
        films = [(name, film) for name, film in batch if not isinstance(film, ImageError)]
        predictions = iter(self.predict_inputs(films, batch_size) if films else [])
        for name, read in batch:
            yield self.unreadable(name, read) if isinstance(read, ImageError) else next(predictions)

    def _prediction(self, name: str, film: NetworkInput, outputs: dict[str, NDArray[np.float32]]) -> Prediction:
        probability, distance = float(outputs["probability"]), float(outputs["domain_distance"])
        return Prediction(
            path=name,
            probability=probability,
            domain_distance=distance,
            heatmap=film.place(outputs["heatmap"]),
            **decide(self.model, self.threshold, probability, distance, film.header)._asdict(),
            **self._common_fields(),
        )

    def _common_fields(self) -> dict[str, Any]:
        return {
            "threshold": self.threshold,
            "operating_point": self.operating_point,
            "model": self.model.path.name,
            "device": self.device,
            "model_sha256": self.model.sha256,
            "model_provenance": self.model.provenance.value,
        }

    def _open_session(self) -> InferenceSession:
        if self._session is None:
            raise ValueError("this Classifier has been closed; create a new one")
        if self._process != os.getpid():
            # A forked child has none of the session's threads, and freeing the session would wait for them forever.
            self._inherited = self._session
            self.__setstate__(self._arguments)
        return self._session

    @property
    def providers(self) -> list[str]:
        """The onnxruntime providers of the open session."""
        return list(self._open_session().get_providers())

    def close(self) -> None:
        """Free the memory of the network and end worker processes.

        Further predictions raise ValueError; closing twice is safe.
        """
        self._session = None
        if self._workers:
            self._workers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.__init__(**arguments)  # type: ignore[misc]  # sessions cannot be pickled, so open a new one

    def __repr__(self) -> str:
        return f"Classifier({self.model.path.name!r}, device={self.device!r}, threshold={self.threshold:.4f})"


def _noting_states(films: Iterable[FilmSource], states: deque[FileState]) -> Iterator[FilmSource]:
    # Before a film is read: if it is replaced meanwhile, a later run sees that its state has changed.
    for film in films:
        states.append(file_state(film))
        yield film


def _with_state(prediction: Prediction, state: FileState) -> Prediction:
    return replace(prediction, film_bytes=state.size, film_modified=state.modified)


def _start_workers(limits: Limits) -> Workers:
    from pneumo_infer.films.isolated.pool import Workers  # starting without them takes less time

    return Workers(limits)
