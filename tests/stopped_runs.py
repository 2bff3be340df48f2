"""Runs that a signal stops."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from tiny_training import read_csv


def stop_run(command: list[str | Path], run: Path, how: signal.Signals) -> tuple[int, str]:
    """Start a command and send it a signal as soon as a run has an epoch; its exit code and what it printed."""
    # A suite that a shell runs in the background hands on that interrupts are ignored.
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(signal.SIGINT, handler)
        assert process.stderr is not None
        deadline = time.monotonic() + 300
        try:
            while not read_csv(run / "history.csv"):
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.send_signal(how)
        except BaseException:
            process.kill()
            raise
        _, printed = process.communicate()
    return process.returncode, printed
