"""Classifier, the one class that users embed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumo_infer.errors import ImageError, ModelError
from pneumo_infer.images import Film, FilmSource, source_name
from pneumo_infer.model import LABELS, OUTPUTS, Model, packaged_models, parse_model
from pneumo_infer.prediction import NEEDS_A_READER, Prediction
from pneumo_infer.preprocess import PREPROCESS, read_pixels
from pneumo_infer.session import Device, open_session


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
    ) -> None:
        self._arguments = {"model": model, "device": device, "threads": threads, "threshold": threshold}
        files = packaged_models() if model is None else dict.fromkeys(("cpu", "cuda"), Path(model))
        self._session, self.device = open_session(files["cpu"], device, threads, on_cuda=files["cuda"])
        self.model = describe(files[self.device], self._session)
        self.threshold, self.operating_point = _decide_threshold(self.model, threshold)

    def predict(self, film: FilmSource) -> Prediction:
        """Read one film.

        Parameters
        ----------
        film
            A path, bytes, a binary stream, a Pillow image or an array; see `pneumo_infer.images.read_film`.

        Raises
        ------
        ImageError
            The film cannot be read.
        """
        pixels = read_pixels(film)
        return self._answer([source_name(film)], [pixels])[0]

    def predict_many(self, films: Iterable[FilmSource], batch_size: int = 16) -> Iterator[Prediction]:
        """Read films one batch after the other: lazily, in order, never holding more than one batch.

        A film that cannot be read yields a `Prediction` whose `error` says why; the others are not affected.

        Parameters
        ----------
        films
            As for `predict`; any iterable, also an endless one.
        batch_size
            Films that go through the network at once.

        Raises
        ------
        ValueError
            `batch_size` is below 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; give 1 or more")
        return self._read_batches(iter(films), batch_size)

    def _read_batches(self, films: Iterator[FilmSource], batch_size: int) -> Iterator[Prediction]:
        while batch := list(islice(films, batch_size)):
            names = [source_name(film) for film in batch]
            read = [_read_or_error(film) for film in batch]
            good = [position for position, film in enumerate(read) if not isinstance(film, ImageError)]
            answers = self._answer([names[i] for i in good], [read[i] for i in good]) if good else []
            answer_at = dict(zip(good, answers, strict=True))
            for position, (name, film) in enumerate(zip(names, read, strict=True)):
                yield self._failure(name, film) if isinstance(film, ImageError) else answer_at[position]

    def _answer(self, names: list[str], pixels: list[Any]) -> list[Prediction]:
        image = np.stack(pixels)[:, :, :, None]
        outputs = dict(zip(OUTPUTS, self._session.run(OUTPUTS, {"image": image}), strict=True))
        return [
            self._prediction(name, {key: values[row] for key, values in outputs.items()})
            for row, name in enumerate(names)
        ]

    def _prediction(self, name: str, outputs: dict[str, NDArray[np.float32]]) -> Prediction:
        probability = float(outputs["probability"])
        distance = float(outputs["domain_distance"])
        in_domain = distance <= self.model.domain_limit
        low, high = self.model.uncertain_band or (np.inf, -np.inf)
        label = LABELS[probability >= self.threshold]
        return Prediction(
            path=name,
            outcome=label if in_domain and not low <= probability <= high else NEEDS_A_READER,
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

    def _failure(self, name: str, error: ImageError) -> Prediction:
        return Prediction(
            path=name,
            outcome=None,
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

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.__init__(**arguments)  # type: ignore[misc]  # a session cannot travel, so a new one is opened

    def __repr__(self) -> str:
        return f"Classifier({self.model.path.name!r}, device={self.device!r}, threshold={self.threshold:.4f})"


def _read_or_error(film: FilmSource) -> Film | ImageError:
    try:
        return read_pixels(film)
    except ImageError as error:
        return error


def describe(path: Path, session: Any) -> Model:
    """Read what the model in a session says of itself.

    Raises
    ------
    ModelError
        It is no model of ours, or reads films prepared in another way.
    """
    model = parse_model(
        path,
        inputs={entry.name: (entry.type, entry.shape) for entry in session.get_inputs()},
        outputs={entry.name: entry.type for entry in session.get_outputs()},
        metadata=session.get_modelmeta().custom_metadata_map,
    )
    if model.metadata["preprocess"] != PREPROCESS:
        raise ModelError(
            path.name,
            f"was trained on films prepared as {model.metadata['preprocess']}, not {PREPROCESS}",
            "install the pneumo-infer that it was exported with",
        )
    return model


def _decide_threshold(model: Model, threshold: float | str | None) -> tuple[float, str | None]:
    if threshold is None or isinstance(threshold, str):
        point = model.operating_point(threshold)
        return point.threshold, point.name
    if not 0.0 <= threshold <= 1.0:
        raise ModelError(f"threshold {threshold}", "is no probability", "give a number from 0 to 1")
    return float(threshold), None
