"""Classifier, the one class that users embed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from pneumo_infer.cpu_count import cpu_count
from pneumo_infer.errors import ImageError, ModelError
from pneumo_infer.films.prefetch import Read, read_batches
from pneumo_infer.films.preprocess import PREPROCESS, fill_up, read_pixels
from pneumo_infer.films.raster import Film, FilmSource, source_name
from pneumo_infer.limits import LIMITS, Limits
from pneumo_infer.model.info import LABELS, OUTPUTS, ModelInfo, packaged_models, parse_model
from pneumo_infer.model.session import Device, open_session
from pneumo_infer.prediction import NEEDS_REVIEW, OUT_OF_DOMAIN, UNCERTAIN, Prediction

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class Classifier:
    """Reads chest films: NORMAL or PNEUMONIA.

    One instance may be used from several threads at once. It pickles; a worker process opens its own session.

    Parameters
    ----------
    model
        An ONNX file that pneumo-export wrote; if None the model that ships, int8 on a CPU and fp16 on CUDA.
    device
        `auto`, `cpu` or `cuda`; see `Classifier.device` for what really runs.
    threads
        CPU threads within one film; all processors that this process may use if None.
    threshold
        A probability from 0 to 1, the name of one of the model's operating points, or None for its default one.
    limits
        How large a film may be.

    Raises
    ------
    ModelError
        The file is no model of ours, is not the one that SHA256SUMS beside it lists, or has no such operating point.
    DeviceError
        The device did not come up.
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
    ) -> None:
        self._arguments = {
            "model": model,
            "device": device,
            "threads": threads,
            "threshold": threshold,
            "limits": limits,
        }
        files = packaged_models() if model is None else dict.fromkeys(("cpu", "cuda"), Path(model))
        self._process = os.getpid()
        session, self.device = open_session(files["cpu"], device, threads, on_cuda=files["cuda"])
        self._session: InferenceSession | None = session
        self.threads = threads or cpu_count()
        self.limits = limits
        self.model = describe(files[self.device], session)
        self.threshold, self.operating_point = _decide_threshold(self.model, threshold)

    def predict(self, film: FilmSource) -> Prediction:
        """Read one film.

        Parameters
        ----------
        film
            A path, bytes, a binary stream, a Pillow image or an array; see `pneumo_infer.films.raster.read_film`.

        Raises
        ------
        ImageError
            The film cannot be read.
        """
        return self._answer([(source_name(film), read_pixels(film, self.limits))], batch_size=1)[0]

    def predict_many(self, films: Iterable[FilmSource], batch_size: int = 16) -> Iterator[Prediction]:
        """Read films one batch after the other: lazily, in order, with the next batch decoded while this one is read.

        A film that cannot be read yields a `Prediction` whose `error` says why; the others are not affected.

        Parameters
        ----------
        films
            As for `predict`; any iterable, also an endless one.
        batch_size
            Films that go through the network at once. With 1, no film is taken before the last one was answered.

        Raises
        ------
        ValueError
            `batch_size` is below 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; give 1 or more")
        batches = read_batches(films, batch_size, self.threads, self.limits)
        return (prediction for batch in batches for prediction in self._answer_batch(batch, batch_size))

    def _answer_batch(self, batch: list[Read], batch_size: int) -> Iterator[Prediction]:
        films = [(name, pixels) for name, pixels in batch if not isinstance(pixels, ImageError)]
        answers = iter(self._answer(films, batch_size) if films else [])
        for name, read in batch:
            yield self._failure(name, read) if isinstance(read, ImageError) else next(answers)

    def _answer(self, films: list[tuple[str, Film]], batch_size: int) -> list[Prediction]:
        image = np.stack([pixels for _, pixels in films])[:, :, :, None]
        if self.device == "cuda":
            image = fill_up(image, batch_size)
        outputs = dict(zip(OUTPUTS, self._open_session().run(OUTPUTS, {"image": image}), strict=True))
        return [
            self._prediction(name, {key: values[row] for key, values in outputs.items()})
            for row, (name, _) in enumerate(films)
        ]

    def _prediction(self, name: str, outputs: dict[str, NDArray[np.float32]]) -> Prediction:
        probability = float(outputs["probability"])
        distance = float(outputs["domain_distance"])
        in_domain = distance <= self.model.domain_limit
        reason = self._reason_for_review(probability, in_domain)
        label = LABELS[probability >= self.threshold]
        return Prediction(
            path=name,
            outcome=NEEDS_REVIEW if reason else label,
            reason=reason,
            label=label,
            probability=probability,
            threshold=self.threshold,
            operating_point=self.operating_point,
            in_domain=in_domain,
            domain_distance=distance,
            heatmap=outputs["heatmap"],
            model=self.model.path.name,
            device=self.device,
        )

    def _reason_for_review(self, probability: float, in_domain: bool) -> str | None:
        if not in_domain:  # first, since the probability of such a film means nothing
            return OUT_OF_DOMAIN
        low, high = self.model.uncertain_band or (np.inf, -np.inf)
        return UNCERTAIN if low <= probability <= high else None

    def _failure(self, name: str, error: ImageError) -> Prediction:
        return Prediction(
            path=name,
            outcome=None,
            reason=None,
            label=None,
            probability=None,
            threshold=self.threshold,
            operating_point=self.operating_point,
            in_domain=None,
            domain_distance=None,
            heatmap=None,
            model=self.model.path.name,
            device=self.device,
            error=error,
        )

    def _open_session(self) -> InferenceSession:
        if self._session is None:
            raise ValueError("this Classifier was closed; make a new one")
        if self._process != os.getpid():
            # A session's threads stay behind in a fork, and freeing it there would wait for them for ever.
            self._inherited = self._session
            self.__setstate__(self._arguments)
        return self._session

    @property
    def providers(self) -> list[str]:
        """What onnxruntime runs the network with, in its own words; asked of the session, not of the installation."""
        return list(self._open_session().get_providers())

    def close(self) -> None:
        """Free the network's memory; after that films raise ValueError. May be called again."""
        self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.__init__(**arguments)  # type: ignore[misc]  # a session cannot travel, so a new one is opened

    def __repr__(self) -> str:
        return f"Classifier({self.model.path.name!r}, device={self.device!r}, threshold={self.threshold:.4f})"


def describe(path: Path, session: Any) -> ModelInfo:
    """Read what the model in a session says of itself.

    Raises
    ------
    ModelError
        It is no model of ours, or reads films prepared in another way.
    """
    model = parse_model(
        path,
        inputs={entry.name: (entry.type, entry.shape) for entry in session.get_inputs()},
        outputs={entry.name: (entry.type, entry.shape) for entry in session.get_outputs()},
        metadata=session.get_modelmeta().custom_metadata_map,
    )
    if model.metadata["preprocess"] != PREPROCESS:
        raise ModelError(
            path.name,
            f"was trained on films prepared as {model.metadata['preprocess']}, not {PREPROCESS}",
            "install the pneumo-infer that it was exported with",
        )
    return model


def _decide_threshold(model: ModelInfo, threshold: float | str | None) -> tuple[float, str | None]:
    if threshold is None or isinstance(threshold, str):
        point = model.operating_point(threshold)
        return point.threshold, point.name
    if not 0.0 <= threshold <= 1.0:
        raise ModelError(f"threshold {threshold}", "is no probability", "give a number from 0 to 1")
    return float(threshold), None
