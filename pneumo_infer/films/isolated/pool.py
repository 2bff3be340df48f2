"""Read films in worker processes, so that no film can take more than its share of memory and time, or end the program.

Each process reads film after film. One that dies is replaced when the next film needs it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import weakref
from contextlib import suppress
from dataclasses import asdict
from queue import Empty, SimpleQueue
from typing import IO

import numpy as np
from PIL import Image

from pneumo_infer.errors import ImageError, PneumoError
from pneumo_infer.films.dicom.header import FilmHeader
from pneumo_infer.films.preprocess import NETWORK_SIZE, NetworkInput, read_network_input
from pneumo_infer.films.raster import Film
from pneumo_infer.films.source import FilmSource, read_bytes, source_name
from pneumo_infer.limits import Limits

PROGRAM = "import sys; sys.path[:] = {path!r}; from pneumo_infer.films.isolated.worker import main; main()"
REMEDY = "export the film again, or raise the limit"


class Workers:
    """Worker processes that read films; safe to use from several threads, each of which gets one of its own.

    Parameters
    ----------
    limits
        `memory` and `seconds` are enforced by the operating system in addition to what is checked anyway.

    Raises
    ------
    PneumoError
        The operating system cannot limit processes.
    """

    def __init__(self, limits: Limits) -> None:
        if os.name != "posix":
            raise PneumoError("isolate", "processes cannot be limited on this system", "use Linux, or do not isolate")
        self._limits = limits
        self._process = os.getpid()
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._stop = weakref.finalize(self, _stop_all, self._idle, self._process)

    def read(self, film: FilmSource, view: int | None = None) -> NetworkInput:
        """Read a film like `read_network_input`; arrays and Pillow images, which are decoded, are read in this process.

        Parameters
        ----------
        film, view
            As for `read_network_input`.

        Raises
        ------
        ImageError
            The film cannot be read, or has exceeded a limit.
        """
        if isinstance(film, (Image.Image, np.ndarray)):
            return read_network_input(film, self._limits, view)
        name = source_name(film)
        encoded = read_bytes(film, name, self._limits)
        worker = self._take()
        try:
            found = _ask(worker, encoded, view)
        except BaseException:  # interrupted halfway, so the next answer would be that to this film
            worker.kill()
            _stop(worker)
            raise
        if found is None:
            raise self._died(name, _stop(worker))
        self._idle.put(worker)
        if isinstance(found, NetworkInput):
            return found
        raise ImageError(name, *found)

    def close(self) -> None:
        """End the processes that read no film."""
        _stop_all(self._idle, self._process)

    def _take(self) -> subprocess.Popen[bytes]:
        if self._process != os.getpid():  # forked: the workers belong to the parent
            self._inherited = self._idle
            self.__init__(self._limits)  # type: ignore[misc]
        while True:
            try:
                worker = self._idle.get_nowait()
            except Empty:
                return self._start()
            if worker.poll() is None:
                return worker
            _stop(worker)

    def _start(self) -> subprocess.Popen[bytes]:
        program, limits = PROGRAM.format(path=sys.path), json.dumps(asdict(self._limits))
        return subprocess.Popen(
            [sys.executable, "-c", program, limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # an interrupt from the keyboard is for this process, which ends the workers
        )

    def _died(self, name: str, code: int) -> ImageError:
        if code == -signal.SIGXCPU:
            return ImageError(name, f"took more than {self._limits.seconds} s of CPU time", REMEDY)
        if code == -signal.SIGALRM:
            return ImageError(name, f"took more than {self._limits.wall_seconds} s", REMEDY)
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        return ImageError(name, f"ended the process that read it ({cause})", "read it again, or export it again")


def _ask(worker: subprocess.Popen[bytes], encoded: bytes, view: int | None) -> NetworkInput | tuple[str, str] | None:
    """Have a film read. Return it, or a problem and a remedy, or None if the process has died."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(json.dumps({"size": len(encoded), "view": view}).encode() + b"\n")
        worker.stdin.write(encoded)
        worker.stdin.flush()
    except BrokenPipeError:
        return None
    line = worker.stdout.readline()
    if not line.endswith(b"\n"):
        return None
    answer = json.loads(line)
    if "problem" in answer:
        return str(answer["problem"]), str(answer["remedy"])
    pixels = _read_pixels(worker.stdout, (NETWORK_SIZE, NETWORK_SIZE))
    shown = None if answer["view"] is None else _read_pixels(worker.stdout, answer["view"])
    if pixels is None or (shown is None and view is not None):
        return None
    left, top, right, bottom = answer["crop"]
    header = answer["header"]
    return NetworkInput(
        pixels,
        (left, top, right, bottom),
        None if header is None else FilmHeader(**header),
        shown,
    )


def _read_pixels(stream: IO[bytes], shape: tuple[int, int]) -> Film | None:
    """Read pixels of this shape, or None if the stream ends before."""
    height, width = shape
    pixels = stream.read(height * width)
    return np.frombuffer(pixels, np.uint8).reshape(height, width) if len(pixels) == height * width else None


def _stop(worker: subprocess.Popen[bytes]) -> int:
    """End a process, if it has not ended, and return its exit code."""
    try:
        # A process that was killed closes its pipes a moment before it can be waited for.
        code = worker.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        worker.kill()
        code = worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        assert pipe is not None
        with suppress(BrokenPipeError):  # for the rest of a film that it no longer takes
            pipe.close()
    return code


def _stop_all(workers: SimpleQueue[subprocess.Popen[bytes]], process: int) -> None:
    if process != os.getpid():
        return
    with suppress(Empty):
        while True:
            worker = workers.get_nowait()
            worker.kill()
            _stop(worker)
