"""Latency for one film at a time: the network alone in several engines, and from a file to a prediction.

    python -m benchmarks.latency --data chest_xray --full-size films/

Needs the `bench` extra. Engines are timed interleaved, film by film, so that changes in the speed of the machine affect
all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.answers import FULL_SIZE, at_full_size, compare_full_size, compare_small, differences
from benchmarks.films import films_under
from benchmarks.networks import compare_engines
from benchmarks.record import publish
from pneumo_infer import Classifier

MODEL = Path(__file__).parents[1] / "models" / "pneumo-resnet50.keras"
HOW = (
    "Network alone: one noise film at a time, the packaged int8 file compared with each engine; medians over "
    "{processes} processes of the medians over {rounds} films, with training frameworks in separate processes. File to "
    "prediction: from a path to a probability, `Classifier.predict` compared with a hand-written script (a full decode "
    "with Pillow, and `session.run` with onnxruntime's defaults on the same model file); medians over {rounds} films. "
    "Full size means at least {full_size} pixels on the longer side ({large} films). Over all {films} films at their "
    "original size, the two differ in probability by at most {apart:.4f}, and in {flipped} labels. Accuracy of int8 on "
    "{held_out} validation films, compared with the limits of `pneumo-export` (fp32 has ROC AUC {auc:.4f}): {kept}."
)


def main(
    data: Annotated[Path, typer.Option(help="Folder with the training films, on which NNCF calibrates.")],
    full_size: Annotated[Path, typer.Option(help="Folder of JPEG films at their original size.")],
    model: Annotated[Path, typer.Option(help="The .keras file of the packaged model.")] = MODEL,
    rounds: Annotated[int, typer.Option(min=5, help="Timed films per engine.")] = 60,
    processes: Annotated[int, typer.Option(min=1, help="Processes in which engines are timed.")] = 3,
    to: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Time engines and implementations, and publish the ratios."""
    originals = films_under(full_size)
    large = at_full_size(originals)
    if not large:
        raise typer.BadParameter(f"{full_size} contains no film with a side of at least {FULL_SIZE} pixels")
    classifier = Classifier(device="cpu")
    answers = [
        *compare_small(classifier, films_under(data), rounds),
        *compare_full_size(classifier, large, rounds),
    ]
    apart, flipped = differences(classifier, originals)
    engines, accuracy = compare_engines(model, data, rounds, processes)
    how = HOW.format(
        **accuracy,
        rounds=rounds,
        processes=processes,
        full_size=FULL_SIZE,
        large=len(large),
        films=len(originals),
        apart=apart,
        flipped=flipped,
    )
    publish("latency", how, [*engines, *answers], to)


if __name__ == "__main__":
    typer.run(main)
