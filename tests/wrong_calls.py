"""Hundreds of wrong calls of the three programs: values, combinations, and files that are not what they should be."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from itertools import combinations, count
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fuzzing import seeds, spoil
from infer_command import small_film, small_model
from made_films import write_chest_xray
from small_models import METADATA

from pneumo_infer.drift.reference import measure_reference


class Call(NamedTuple):
    """A program and its arguments."""

    program: str
    arguments: tuple[str, ...]


NUMBERS = ("", " ", "-1", "0", "x", "1e400", "nan", "1.5", "0x10", "\u0661", "9" * 30, "\x1b[31m")
WORDS = ("", "-", "x", "NORMAL", "[/b]", "\x1b[31m", "\udcff", "\u202e", "9" * 5000)
JUNK = {
    "empty": b"",
    "null": b"\0" * 100,
    "text": b"text\n",
    "json": b'{"a": [1, {}]}\n',
    "number": b"7\n",
    "nested": b"[" * 20_000,
    "digits": b"1" * 5000,
    "latin1": "ä,ö\nü,é\n".encode("latin-1"),
    "utf16": "path,label\n".encode("utf-16"),
    "toml": b"a = 1\n[b]\n",
    "csv": b"path,label\na.png\n",
    "quotes": b'"a,b\n',
    "zip": b"PK\x03\x04" + bytes(60),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(60),
}
PLACES = ("", ".", "gone", "film.png/x", "films", "loop", "n" * 300, "/dev/null/x", "/proc/x", "\udcff", "\x1b]0;t\x07")
RECIPE_KEYS = ("split.seed", "split.test", "network.backbone", "fit.batch_size", "fit.epochs", "phases", "phases.head")


def make_place(place: Path) -> None:
    """Make the films, models and damaged files that the calls name, by paths relative to `place`."""
    choose = random.Random(0)
    greys = np.linspace(100, 150, 300)
    reference = measure_reference(1 / (1 + np.exp(128 - greys)), abs(greys - 128), greys > 128, 200.0)
    small_model(place / "small.onnx", reference=json.dumps(reference.to_dict()))
    small_film(place / "film.png")
    (place / "films").mkdir()
    small_film(place / "films" / "a.png")
    (place / "loop").symlink_to("loop")
    write_chest_xray(place / "few", patients=1)
    for name, content in JUNK.items():
        (place / f"{name}.jsonl").write_bytes(content)
        run = place / f"run-{name}"
        run.mkdir()
        for file in ("run.json", "recipe.toml", "split.csv", "model.json", "model.keras", "history.csv"):
            (run / file).write_bytes(content)
    whole = (place / "small.onnx").read_bytes()
    for number in range(30):
        (place / f"spoiled{number}.onnx").write_bytes(spoil(whole, choose))
    for form in ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "JPEG2000"):
        for number in range(10):
            (place / f"spoiled{number}.{form.lower()}").write_bytes(spoil(choose.choice(seeds(form)), choose))
    for key in METADATA:
        for value in ("", "[", "{}", "null"):
            small_model(place / f"{key}-{value or 'empty'}.onnx", **{key: value})
    (place / "ready").mkdir()
    options = {"data": str(place / "few"), "recipe": "mobilenet", "weights": "none"}
    (place / "ready" / "run.json").write_text(json.dumps(options))


def infer_calls(place: Path) -> Iterator[Call]:
    """Wrong calls of pneumo-infer."""

    def call(*arguments: str, model: str = "small.onnx") -> Call:
        return Call("pneumo-infer", ("--device", "cpu", "--model", model, *arguments))

    for option in ("threads", "batch-size", "max-pixels", "max-bytes", "max-memory", "max-seconds"):
        yield from (call(f"--{option}", number, "film.png") for number in NUMBERS)
    for option in ("threshold", "device", "format", "no-such-option"):
        yield from (call(f"--{option}", word, "film.png") for word in WORDS)
    for option in ("output", "resume", "heatmap", "save-inputs"):
        explain = ["--explain"] if option == "save-inputs" else []
        yield from (call(*explain, f"--{option}", path, "film.png") for path in PLACES)
    flags = (["--demo"], ["--drift"], ["--explain"], ["--isolate"], ["--format", "csv"], ["--resume", "r.jsonl"])
    flags += (["--output", "o"], ["--heatmap", "h"], ["--save-inputs", "s"], ["--threads"], ["--format", "jsonl"])
    yield from (call(*first, *second) for first, second in combinations(flags, 2))
    yield from (call(*first, *second, "gone.png") for first, second in combinations(flags, 2))
    yield from (call("--format", "jsonl", path) for path in PLACES)
    yield from (call("film.png", model=path) for path in PLACES)
    for junk in sorted(place.glob("*.jsonl")):
        yield call(junk.name)
        yield call("--resume", junk.name, "film.png")
        yield call("--drift", junk.name)
        yield call("film.png", model=junk.name)
    yield from (call("film.png", model=path.name) for path in sorted(place.glob("*-*.onnx")))
    yield from (call("film.png", model=path.name) for path in sorted(place.glob("spoiled*.onnx")))
    yield from (call(path.name) for path in sorted(place.glob("spoiled*")) if path.suffix != ".onnx")


def train_calls(place: Path) -> Iterator[Call]:
    """Wrong calls of pneumo-train, none of which gets as far as training."""

    def call(*arguments: str) -> Call:
        return Call("pneumo-train", arguments)

    def train(*arguments: str) -> Call:
        return call(*few, "--output", f"runs/{next(numbers)}", *arguments)

    few = ("--data", "few", "--recipe", "mobilenet", "--weights", "none", "--cache", "cache")
    numbers = count()
    junk = [path.name for path in sorted(place.glob("*.jsonl"))]
    for option in ("data", "recipe", "output", "resume", "patients", "split", "cache"):
        values = (*PLACES, *junk) if option in ("recipe", "patients", "split") else PLACES
        yield from (train(f"--{option}", value) for value in values)
    yield from (call("--resume", run.name) for run in (*sorted(place.glob("run-*")), place / "ready"))
    for key in RECIPE_KEYS:
        yield from (train("--set", f"{key}={word}") for word in (*WORDS, "-1", "[]", "{}"))
    yield from (train("--set", word) for word in WORDS)
    yield from (train("--class-folder", word) for word in (*WORDS, "NORMAL=", "NORMAL=gone", "=x"))
    yield from (train("--distribute", word) for word in WORDS)
    split = ("split", "--cache", "cache", "--data", "few")
    yield from (call(*split, word) for word in WORDS)
    ratios = (*WORDS, "80/10", "80/10/x", "0/0/0", "-1/1/1", "nan/1/1", "inf/1/1", "1e400/1/1")
    yield from (call(*split, "--to", "to", "--ratios", ratio) for ratio in ratios)
    yield from (call(*split, "--to", "to", "--seed", number) for number in NUMBERS)
    yield from (call(*split, "--to", path) for path in PLACES if path != "gone")
    for model in (*PLACES, *junk, "run-json/model.keras", "small.onnx", "spoiled1.onnx"):
        yield call("evaluate", "--data", "few", "--cache", "cache", "--model", model)
        yield call("publish", model, "--to", "published")
    yield from (call("publish", "run-json", "--name", word, "--to", "published") for word in WORDS)
    yield from (call("results", run.name, "--to", "page", "--rows", "rows") for run in sorted(place.glob("run-*")))
    yield from (call("leave-one-style-out", *few, "--output", "styles", "--clusters", number) for number in NUMBERS)


def export_calls(place: Path) -> Iterator[Call]:
    """Wrong calls of pneumo-export."""

    def call(*arguments: str) -> Call:
        return Call("pneumo-export", arguments)

    yield from (call("--to", word) for word in WORDS)
    yield from (call("--to", "onnx", "--precision", word) for word in WORDS)
    yield from (call("--to", "onnx", "--least-films", number) for number in NUMBERS)
    junk = [path.name for path in sorted(place.glob("*.jsonl"))]
    for model in (*PLACES, *junk, "run-json/model.keras", "run-zip/model.keras"):
        yield call("--to", "onnx", "--model", model, "--output", "exported")
        yield call("--to", "triton", "--model", model, "--output", "exported")
        yield call("check", model)
        yield call("check", "small.onnx", "--against", model)
    yield from (call(word, "small.onnx") for word in WORDS)


def all_calls(place: Path) -> list[Call]:
    """Return all calls that a shell can make: others cannot be arguments of a process."""
    calls = [*infer_calls(place), *train_calls(place), *export_calls(place)]
    return [call for call in calls if all(b"\0" not in os.fsencode(argument) for argument in call.arguments)]
