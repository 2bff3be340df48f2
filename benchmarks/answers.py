"""From a file to a prediction: `Classifier.predict`, a hand-written script, and a lower bound for both."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from benchmarks.engines import OURS
from benchmarks.interleaved import time_interleaved
from benchmarks.record import Bound, Comparison, RatioOf
from pneumo_infer import Classifier
from pneumo_infer.model.info import packaged_models
from pneumo_infer.model.session import open_session

FULL_SIZE = 2000  # pixels, longer side
BY_HAND, LEAST = "hand-written script", "lower bound: entropy decoding and network"


def compare_small(classifier: Classifier, films: list[Path], rounds: int) -> list[Comparison]:
    """Time about `rounds` films of about the network's input size, spread evenly over the list."""
    readers = {OURS: classifier.predict, BY_HAND: open_by_hand()}
    medians = time_interleaved(readers, films[:: max(1, len(films) // rounds)])
    return [_compare("file to prediction, 224 px", BY_HAND, medians, "ours / peer", ("at most", 1.03))]


def compare_full_size(classifier: Classifier, films: list[Path], rounds: int) -> list[Comparison]:
    """Time films of the size that hospitals produce, `rounds` in total, repeating the list if it is shorter."""
    readers = {OURS: classifier.predict, BY_HAND: open_by_hand(), LEAST: open_least()}
    medians = time_interleaved(readers, list(islice(cycle(films), rounds)))
    what = "file to prediction, full size"
    return [
        _compare(what, BY_HAND, medians, "peer / ours", ("at least", 1.3)),
        _compare(what, LEAST, medians, "ours / peer"),
    ]


def _compare(
    what: str, peer: str, medians: dict[str, float], ratio_of: RatioOf, bound: Bound | None = None
) -> Comparison:
    return Comparison(what, peer, medians[OURS], medians[peer], "ms", ratio_of, bound)


def differences(classifier: Classifier, films: list[Path]) -> tuple[float, int]:
    """Return the largest difference of a probability from the hand-written script, and the number of other labels."""
    by_hand = open_by_hand()
    pairs = np.array([(classifier.predict(path).probability, by_hand(path)) for path in films])
    labels = pairs >= classifier.threshold
    return float(np.abs(pairs[:, 0] - pairs[:, 1]).max()), int(np.count_nonzero(labels[:, 0] != labels[:, 1]))


def at_full_size(films: list[Path]) -> list[Path]:
    """Return the films with at least `FULL_SIZE` pixels on the longer side."""
    return [path for path in films if max(_size(path)) >= FULL_SIZE]


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as film:
        return film.size


def open_by_hand() -> Callable[[Path], float]:
    """Return what one would write without this package: Pillow, a full decode, and the same int8 file."""
    session = onnxruntime.InferenceSession(packaged_models()["cpu"], providers=["CPUExecutionProvider"])

    def read(path: Path) -> float:
        film = Image.open(path).convert("L").resize((224, 224), Image.Resampling.BILINEAR)
        return float(session.run(["probability"], {"image": np.asarray(film)[None, :, :, None]})[0][0])

    return read


def open_least() -> Callable[[Path], float]:
    """Return a reader with only the steps that no implementation can avoid: JPEG entropy decoding and the network."""
    session = open_session(None, "cpu").session
    blank = np.zeros((1, 224, 224, 1), np.uint8)

    def read(path: Path) -> float:
        with Image.open(path) as film:
            film.draft("L", (1, 1))  # decoded at 1/8 size, which takes hardly longer than entropy decoding
            film.load()
        return float(session.run(["probability"], {"image": blank})[0][0])

    return read
