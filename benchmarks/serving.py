"""Requests per second and their latency over HTTP, compared with a `Classifier` called directly, and with LitServe.

    python -m benchmarks.serving --films films/

Needs the extras `bench` and `serve`. All are the same network on the same films, in rounds that follow each other, so
that changes in the speed of the machine affect all of them. Clients are threads of one more process, each with a
connection that it keeps.
"""

from __future__ import annotations

import base64
import http.client
import json
import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from threading import Thread
from typing import Annotated

import numpy as np
import typer

from benchmarks.films import films_under
from benchmarks.record import Bound, Comparison, publish
from pneumo_infer import Classifier

CLIENTS = (1, 8, 16, 64)
OURS, PEER = 8571, 8572  # ports
STARTS_WITHIN = 180  # seconds
SERVE = ["-m", "pneumo_infer.serve", "http", "--device", "cpu", "--quiet", "--port", str(OURS)]
SERVICES = {
    "pneumo-serve": [sys.executable, *SERVE],
    "LitServe": [sys.executable, "-m", "benchmarks.serving_litserve", str(PEER)],
}
PORTS = {"pneumo-serve": OURS, "LitServe": PEER}
HOW = (
    "{films} films a round from {files} files, {rounds} rounds that alternate; medians of them. Each client sends "
    "film after film over a connection of its own from one other process on the same processors, which it shares with "
    "the service. `Classifier.predict` and `predict_many` (batches of 16) are called directly with the same bytes. "
    "pneumo-serve reads films in isolated processes, the others do not; LitServe takes films as base64. {latencies}."
)


@dataclass
class Round:
    """Films per second of a round, and the seconds that each took."""

    rate: float
    seconds: list[float] = field(default_factory=list)


def main(
    films: Annotated[Path, typer.Option(help="Folder of films.")],
    count: Annotated[int, typer.Option(min=64, help="Films in a round.")] = 400,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    to: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
) -> None:
    """Time all of them and publish the ratios."""
    files = films_under(films)
    encoded = list(islice(cycle([file.read_bytes() for file in files]), count))
    classifier = Classifier(device="cpu")
    engines: dict[str, Callable[[], Round]] = {
        "predict": lambda: _one_by_one(classifier, encoded[: count // 4]),
        "predict_many": lambda: _in_batches(classifier, encoded),
    }
    for name, port in PORTS.items():
        for clients in CLIENTS:
            part = encoded[: count // 4] if clients == 1 else encoded
            engines[f"{name}, {clients}"] = partial(_over_http, port, clients, part)
    found: dict[str, list[Round]] = {name: [] for name in engines}
    with ExitStack() as stack:
        for name, command in SERVICES.items():
            stack.enter_context(_running(command, PORTS[name]))
        for number in range(rounds + 1):
            for name, engine in engines.items():
                measured = engine()
                if number:  # the first round warms up
                    found[name].append(measured)
    how = HOW.format(films=count, files=len(files), rounds=rounds, latencies=_latencies(found))
    publish("serving", how, _comparisons(found), to)


def _comparisons(found: dict[str, list[Round]]) -> list[Comparison]:
    rate = {name: statistics.median(found_round.rate for found_round in rounds) for name, rounds in found.items()}
    wait = {name: 1000 * float(np.median(_seconds(rounds))) for name, rounds in found.items() if rounds[0].seconds}
    many, one = (rate["pneumo-serve, 16"], rate["predict_many"]), (wait["pneumo-serve, 1"], wait["predict"])
    rows = [
        Comparison("16 clients", "predict_many", *many, "films/s", "ours / peer", ("at least", 0.9)),
        Comparison("1 client, median", "predict", *one, "ms", "ours / peer"),
    ]
    for clients in CLIENTS:
        ours, theirs = rate[f"pneumo-serve, {clients}"], rate[f"LitServe, {clients}"]
        bound: Bound | None = ("at least", 1.0) if clients == 16 else None
        rows.append(Comparison(f"{clients} clients", "LitServe", ours, theirs, "films/s", "ours / peer", bound))
    return rows


def _latencies(found: dict[str, list[Round]]) -> str:
    parts = []
    for name, rounds in found.items():
        if rounds[0].seconds:
            quantiles = 1000 * np.quantile(_seconds(rounds), [0.5, 0.95, 0.99])
            parts.append(f"{name}: " + "/".join(f"{quantile:.1f}" for quantile in quantiles))
    return "p50/p95/p99 in ms by number of clients: " + "; ".join(parts)


def _seconds(rounds: list[Round]) -> list[float]:
    return [seconds for found_round in rounds for seconds in found_round.seconds]


def _one_by_one(classifier: Classifier, films: list[bytes]) -> Round:
    seconds = []
    for film in films:
        began = time.perf_counter()
        classifier.predict(film)
        seconds.append(time.perf_counter() - began)
    return Round(len(films) / sum(seconds), seconds)


def _in_batches(classifier: Classifier, films: list[bytes]) -> Round:
    began = time.perf_counter()
    classified = sum(1 for _ in classifier.predict_many(films))
    return Round(classified / (time.perf_counter() - began))


def _over_http(port: int, clients: int, films: list[bytes]) -> Round:
    """Send films from clients in another process, so that they take no time of this interpreter."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_send, (port, clients, films))


def _send(port: int, clients: int, films: list[bytes]) -> Round:
    seconds: list[float] = []
    waiting = iter(films)
    threads = [Thread(target=_client, args=(port, waiting, seconds)) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(seconds) != len(films):
        raise RuntimeError(f"{len(films) - len(seconds)} films were not answered")
    return Round(len(films) / (time.perf_counter() - began), seconds)


def _client(port: int, films: Iterator[bytes], seconds: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    path, kind = ("/v1/predictions", "application/octet-stream") if port == OURS else ("/predict", "application/json")
    for film in films:
        body = film if port == OURS else json.dumps({"film": base64.b64encode(film).decode()}).encode()
        began = time.perf_counter()
        connection.request("POST", path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            seconds.append(time.perf_counter() - began)
    connection.close()


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[2]} did not start")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready" if port == OURS else "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    typer.run(main)
