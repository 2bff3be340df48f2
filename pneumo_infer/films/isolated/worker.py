"""Read films in a process whose memory and time are limited; `pool` starts it and talks to it.

A request is a line of JSON with the size of a film in bytes and how large to show it, and these bytes. An answer is a
line of JSON, followed by the pixels, and those for display, if the film was read. The film may be hostile and the
process damaged by it, so nothing is pickled.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from pneumo_infer.errors import ImageError
from pneumo_infer.films.preprocess import read_network_input
from pneumo_infer.limits import Limits

# What a process needs besides the film: libraries that are loaded with the first film of their kind, and allocators.
SPARE_MEMORY = 128_000_000


def main() -> None:
    """Answer requests from standard input until it is closed. The first argument has the limits as JSON."""
    limits = Limits(**json.loads(sys.argv[1]))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # so that what a library prints is not taken for an answer
    for kind in (signal.SIGXCPU, signal.SIGALRM):  # which the host program may ignore or block; both are inherited
        signal.signal(kind, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGXCPU, signal.SIGALRM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit(resource.RLIMIT_DATA, _data_size() + limits.memory + SPARE_MEMORY)
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        encoded = sys.stdin.buffer.read(request["size"])
        _limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + limits.seconds)
        signal.setitimer(signal.ITIMER_REAL, limits.wall_seconds)
        _answer(encoded, limits, request["view"], answers)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit(kind: int, soft: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _data_size() -> int:
    """Return the size in bytes of what counts towards RLIMIT_DATA; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
    except (OSError, StopIteration):
        return 0


def _answer(encoded: bytes, limits: Limits, view: int | None, answers: BinaryIO) -> None:
    head: dict[str, object]
    try:
        film = read_network_input(encoded, limits, view)
        header = None if film.header is None else asdict(film.header)
        head, pixels = {"crop": film.crop, "header": header, "view": None}, film.pixels.tobytes()
        if film.view is not None:
            head["view"] = film.view.shape
            pixels += film.view.tobytes()
    except ImageError as error:
        out_of_memory = isinstance(error.__cause__, MemoryError)
        problem = f"took more than {limits.memory / 1e6:.0f} MB of memory" if out_of_memory else error.problem
        head, pixels = {"problem": problem, "remedy": error.remedy}, b""
    answers.write(json.dumps(head).encode() + b"\n" + pixels)
    answers.flush()
