"""Milliseconds a film, one at a time: the network alone beside other engines, and from the file to the answer.

    python -m benchmarks.latency --data chest_xray --full-size films/

Needs the `bench` extra. Engines take turns film by film, so that a change in the machine's speed meets all of them.
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
    "The network alone: noise films one at a time, int8 as it ships beside each engine; the medians of {processes} "
    "processes, of the medians of {rounds} films in each, frameworks that train in processes apart from the others. "
    "File to answer: from a path to a probability, `Classifier.predict` beside Pillow, a plain decode and "
    "`session.run` with onnxruntime's defaults on the same file, by hand; medians of {rounds} films, at full size "
    "those of {full_size} pixels and more, of which there are {large}. Over all {films} films as large as they were "
    "made the two differ by {apart:.4f} of probability at most, and in {flipped} labels. int8 on {held_out} "
    "validation films, of which fp32 makes ROC AUC {auc:.4f}; the limits are those of `pneumo-export`. {kept}."
)


def main(
    data: Annotated[Path, typer.Option(help="The films that the model was trained on, which NNCF calibrates with.")],
    full_size: Annotated[Path, typer.Option(help="A folder of JPEG films as large as they were made.")],
    model: Annotated[Path, typer.Option(help="The .keras file that was exported.")] = MODEL,
    rounds: Annotated[int, typer.Option(min=5, help="Films that each engine reads.")] = 60,
    processes: Annotated[int, typer.Option(min=1, help="In which engines are timed.")] = 3,
    to: Annotated[Path | None, typer.Option(help="Where the figures go, as JSON.")] = None,
) -> None:
    """Time engines and ways from file to answer, and publish the ratios."""
    as_made = films_under(full_size)
    large = at_full_size(as_made)
    if not large:
        raise typer.BadParameter(f"{full_size}: holds no film of {FULL_SIZE} pixels and more")
    classifier = Classifier(device="cpu")
    answers = [
        *compare_small(classifier, films_under(data), rounds),
        *compare_full_size(classifier, large, rounds),
    ]
    apart, flipped = differences(classifier, as_made)
    engines, accuracy = compare_engines(model, data, rounds, processes)
    how = HOW.format(
        **accuracy,
        rounds=rounds,
        processes=processes,
        full_size=FULL_SIZE,
        large=len(large),
        films=len(as_made),
        apart=apart,
        flipped=flipped,
    )
    publish("latency", how, [*engines, *answers], to)


if __name__ == "__main__":
    typer.run(main)
