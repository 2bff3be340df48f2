"""Milliseconds a film, one at a time: the network alone beside other engines, and from the file to the answer.

    python -m benchmarks.latency --data chest_xray --full-size films/

Needs the `bench` extra. Engines take turns film by film, so that a change in the machine's speed meets all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime
import typer
from PIL import Image

from benchmarks.films import films_under, noise_films
from benchmarks.record import Bound, Comparison, RatioOf, publish
from benchmarks.turns import take_turns
from pneumo_infer import Classifier
from pneumo_infer.images import Film
from pneumo_infer.model import packaged_models
from pneumo_infer.session import open_session
from pneumo_train.calibrate import Scores
from pneumo_train.quiet import quiet_import

with quiet_import():
    import onnx

    from benchmarks.accuracy import hold_to_limits
    from benchmarks.engines import (
        INT8_PEERS,
        Engine,
        ours,
        with_keras,
        with_onnxruntime,
        with_openvino,
        with_torch,
    )
    from pneumo_export.graph import convert
    from pneumo_export.int8 import choose_calibration_rows
    from pneumo_export.running import run_file
    from pneumo_train.measures import figures_at
    from pneumo_train.run import read_split, training_films
    from pneumo_train.trained import load_trained

MODEL = Path(__file__).parents[1] / "models" / "pneumo-resnet50.keras"
OURS = "ours"
LEAST = "entropy decoding and the network"
FULL_SIZE = 2000  # pixels of the longer side
HOW = (
    "The network alone: {rounds} noise films one at a time, int8 as it ships beside each engine. File to answer: from "
    "a path to a probability, `Classifier.predict` beside Pillow, a plain decode and `session.run` with onnxruntime's "
    "defaults on the same file, by hand; {rounds} times a film, at full size those of {full_size} pixels and more, of "
    "which there are {large}. Medians. Over all {films} films as large as they were made the two differ by {apart:.4f} "
    "of probability at most, and in {flipped} labels. int8 on {held_out} validation films, of which fp32 makes ROC AUC "
    "{auc:.4f}; the limits are those of `pneumo-export`. {kept}."
)


def main(
    data: Annotated[Path, typer.Option(help="The films that the model was trained on, which NNCF calibrates with.")],
    full_size: Annotated[Path, typer.Option(help="A folder of JPEG films as large as they were made.")],
    model: Annotated[Path, typer.Option(help="The .keras file that was exported.")] = MODEL,
    rounds: Annotated[int, typer.Option(min=5, help="Films that each engine reads.")] = 100,
    to: Annotated[Path | None, typer.Option(help="Where the figures go, as JSON.")] = None,
) -> None:
    """Time engines and ways from file to answer, and publish the ratios."""
    as_made = films_under(full_size)
    large = [path for path in as_made if max(_size(path)) >= FULL_SIZE]
    if not large:
        raise typer.BadParameter(f"{full_size}: holds no film of {FULL_SIZE} pixels and more")
    classifier = Classifier(device="cpu")
    by_hand = open_by_hand()
    small = films_under(data)
    small = small[:: max(1, len(small) // rounds)]
    comparisons = [
        *_file_to_answer(
            "file to answer, 224 px",
            small,
            {OURS: classifier.predict, "by hand": by_hand},
            {"by hand": ("ours / peer", ("at most", 1.03))},
        ),
        *_file_to_answer(
            "file to answer, full size",
            list(islice(cycle(large), rounds)),
            {OURS: classifier.predict, "by hand": by_hand, LEAST: open_least()},
            {"by hand": ("peer / ours", ("at least", 1.3)), LEAST: ("ours / peer", None)},
        ),
    ]
    pairs = np.array([(classifier.predict(path).probability, by_hand(path)) for path in as_made])
    labels = pairs >= classifier.threshold
    engines, accuracy = compare_engines(model, data, rounds)  # last, since their threads stay
    how = HOW.format(
        **accuracy,
        rounds=rounds,
        full_size=FULL_SIZE,
        large=len(large),
        films=len(as_made),
        apart=np.abs(pairs[:, 0] - pairs[:, 1]).max(),
        flipped=np.count_nonzero(labels[:, 0] != labels[:, 1]),
    )
    publish("latency", how, [*engines, *comparisons], to)


def compare_engines(model: Path, data: Path, rounds: int) -> tuple[list[Comparison], dict[str, Any]]:
    """Time int8 as it ships beside every engine, one noise film after the other, and hold all int8 to the same limits.

    Returns
    -------
    tuple
        The comparisons, of which the aim for int8 is set beside the fastest that stays within the limits; and what
        `HOW` says of accuracy.
    """
    source = load_trained(model)
    films = training_films(read_split(model.parent, data))
    calibration = films.pixels[
        choose_calibration_rows(films.rows["train"], source.description["recipe"]["split"]["seed"])
    ]
    with tempfile.TemporaryDirectory() as folder:
        fp32 = Path(folder, "fp32.onnx")
        onnx.save(convert(source.keras_model), fp32)
        peers = {
            **with_keras(source.keras_model),
            **with_onnxruntime(fp32),
            **with_openvino(fp32, calibration),
            **with_torch(),
        }
        rows = films.rows["validation"]
        reference = run_file(fp32, "probability", films.pixels[rows])
    engines = {OURS: ours(), **peers}
    threshold = source.description["operating_points"][source.description["default_operating_point"]]["threshold"]
    held = [
        hold_to_limits(name, threshold, films.targets[rows], reference, _ask(engines[name], films.pixels[rows]))
        for name in (OURS, *INT8_PEERS)
    ]
    medians = take_turns(engines, noise_films(rounds))
    best = min((name for name in peers if "fp32" in name), key=medians.__getitem__)
    aims: dict[str, Bound] = {best: ("at least", 1.8)}
    equals = [kept.name for kept in held if kept.within and kept.name != OURS]
    if equals:
        aims[min(equals, key=medians.__getitem__)] = ("at least", 1.0)
    comparisons = [
        Comparison("network alone", name, medians[OURS], medians[name], "ms", "peer / ours", aims.get(name))
        for name in peers
    ]
    accuracy = {
        "held_out": len(rows),
        "auc": figures_at(threshold, films.targets[rows], reference)["auc"],
        "kept": "; ".join(map(str, held)),
    }
    return comparisons, accuracy


def _ask(engine: Engine, films: Film) -> Scores:
    """The probabilities of decoded films, asked for one by one."""
    return np.array([np.ravel(np.asarray(engine(film[None])[0]))[0] for film in films], np.float32)


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as film:
        return film.size


def open_by_hand() -> Callable[[Path], float]:
    """What one would write without this package: Pillow, a plain decode, and the same int8 file."""
    session = onnxruntime.InferenceSession(packaged_models()["cpu"], providers=["CPUExecutionProvider"])

    def read(path: Path) -> float:
        film = Image.open(path).convert("L").resize((224, 224), Image.Resampling.BILINEAR)
        return float(session.run(["probability"], {"image": np.asarray(film)[None, :, :, None]})[0][0])

    return read


def open_least() -> Callable[[Path], float]:
    """What no way from such a file to an answer can leave out: JPEG's entropy coding, and the network."""
    session, _ = open_session(packaged_models()["cpu"], "cpu")
    blank = np.zeros((1, 224, 224, 1), np.uint8)

    def read(path: Path) -> float:
        with Image.open(path) as film:
            film.draft("L", (1, 1))  # an eighth of the size: hardly more than what the entropy coding takes
            film.load()
        return float(session.run(["probability"], {"image": blank})[0][0])

    return read


def _file_to_answer(
    what: str,
    films: list[Path],
    ways: dict[str, Callable[[Path], object]],
    aims: dict[str, tuple[RatioOf, Bound | None]],
) -> list[Comparison]:
    medians = take_turns(ways, films)
    return [Comparison(what, peer, medians[OURS], medians[peer], "ms", *aim) for peer, aim in aims.items()]


if __name__ == "__main__":
    typer.run(main)
