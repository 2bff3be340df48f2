"""Throughput for a folder of films of mixed sizes, compared with the network alone on decoded films.

    python -m benchmarks.throughput films/ --films 2000

`predict_many` reads, decodes and shrinks the files, and classifies them in order. The peer only runs the same network
on the same batches, in a session with onnxruntime's defaults. Blocks of both are interleaved, so that changes in the
speed of the machine affect both.
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

BLOCK = 200  # films
HOW = (
    "{films} films from {files} files ({megapixels:.2f} megapixels on average), in interleaved blocks of {block} films "
    "and batches of {batch}; medians of the rates. `predict_many` used {busy:.0%} of the available CPU time."
)


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of films, which are read repeatedly.")],
    films: Annotated[int, typer.Option(min=2 * BLOCK, help="Number of films to classify.")] = 2000,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    to: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Time both and publish the ratio of the rates."""
    files = films_under(folder)
    random.Random(0).shuffle(files)  # mixes large and small films
    paths = list(islice(cycle(files), films))
    classifier = Classifier(device="cpu")
    network = onnxruntime.InferenceSession(packaged_models()["cpu"], providers=["CPUExecutionProvider"])
    ours, alone = [], []
    busy = spent = 0.0
    for start in range(0, films, BLOCK):
        block = paths[start : start + BLOCK]
        pixels = np.stack([read_pixels(path) for path in block])[..., None]
        began, used = time.perf_counter(), time.process_time()
        classified = sum(1 for _ in classifier.predict_many(block, batch_size))
        seconds = time.perf_counter() - began
        busy, spent = busy + time.process_time() - used, spent + seconds * classifier.threads
        ours.append(classified / seconds)
        began = time.perf_counter()
        for at in range(0, len(block), batch_size):
            network.run(OUTPUTS, {"image": pixels[at : at + batch_size]})
        alone.append(len(block) / (time.perf_counter() - began))
    how = HOW.format(
        films=films,
        files=len(files),
        megapixels=megapixels(files),
        block=BLOCK,
        batch=batch_size,
        busy=busy / spent,
    )
    rates = statistics.median(ours), statistics.median(alone)
    publish(
        "throughput",
        how,
        [Comparison("folder of films", "network alone", *rates, "films/s", "ours / peer", ("at least", 0.93))],
        to,
    )


if __name__ == "__main__":
    typer.run(main)
