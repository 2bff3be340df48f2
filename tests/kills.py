"""Kill a command at random moments; the test checks after each kill what must hold."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

KILLED = -9


def killed_runs(command: Sequence[str | Path], kills: int, longest: float, seed: int = 0) -> Iterator[int]:
    """Start a command again and again, and kill each run (SIGKILL) at a random moment.

    Parameters
    ----------
    command
        The program and its arguments.
    kills
        Number of runs to kill. Runs that end before their moment do not count.
    longest
        The latest moment in seconds after the start: about how long an unbroken run takes.

    Yields
    ------
    int
        The exit code of each run, killed or not, once it has ended. `KILLED` if it was killed.
    """
    moments = random.Random(seed)
    killed = 0
    while killed < kills:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(moments.uniform(0, longest))
            except subprocess.TimeoutExpired:
                process.kill()
        killed += process.returncode == KILLED
        yield process.returncode
