"""A folder of films of mixed sizes, as `pneumo-infer` reads it, beside the network alone on films already decoded.

    python -m benchmarks.throughput films/ --films 2000

Ours reads files, decodes, shrinks, answers and keeps the order; the peer only calls the same network, in a session with
onnxruntime's own defaults, on the same batches. They take turns, so that a change in the machine's speed meets both.
"""

from __future__ import annotations

import random
import statistics
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime
import typer

from benchmarks.films import films_under, megapixels
from benchmarks.record import Comparison, publish
from pneumo_infer import Classifier
from pneumo_infer.films.preprocess import read_pixels
from pneumo_infer.model.info import OUTPUTS, packaged_models

TURN = 200  # films
HOW = (
    "{films} films from {files} files ({megapixels:.2f} megapixels on average), in turns of {turn}, batches of "
    "{batch}; medians of the rates. Of the time that both processors had, `predict_many` used {busy:.0%}."
)


def main(
    folder: Annotated[Path, typer.Argument(help="A folder of films, which are read over and over.")],
    films: Annotated[int, typer.Option(min=2 * TURN, help="How many to read.")] = 2000,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    to: Annotated[Path | None, typer.Option(help="Where the figures go, as JSON.")] = None,
) -> None:
    """Read the folder both ways, and publish the ratio of the rates."""
    files = films_under(folder)
    random.Random(0).shuffle(files)  # large and small ones in turn
    paths = list(islice(cycle(files), films))
    classifier = Classifier(device="cpu")
    network = onnxruntime.InferenceSession(packaged_models()["cpu"], providers=["CPUExecutionProvider"])
    ours, alone = [], []
    busy = spent = 0.0
    for start in range(0, films, TURN):
        turn = paths[start : start + TURN]
        pixels = np.stack([read_pixels(path) for path in turn])[..., None]
        began, used = time.perf_counter(), time.process_time()
        answered = sum(1 for _ in classifier.predict_many(turn, batch_size))
        seconds = time.perf_counter() - began
        busy, spent = busy + time.process_time() - used, spent + seconds * classifier.threads
        ours.append(answered / seconds)
        began = time.perf_counter()
        for at in range(0, len(turn), batch_size):
            network.run(OUTPUTS, {"image": pixels[at : at + batch_size]})
        alone.append(len(turn) / (time.perf_counter() - began))
    how = HOW.format(
        films=films,
        files=len(files),
        megapixels=megapixels(files),
        turn=TURN,
        batch=batch_size,
        busy=busy / spent,
    )
    rates = statistics.median(ours), statistics.median(alone)
    publish(
        "throughput",
        how,
        [Comparison("a folder of films", "the network alone", *rates, "films/s", "ours / peer", ("at least", 0.93))],
        to,
    )


if __name__ == "__main__":
    typer.run(main)
