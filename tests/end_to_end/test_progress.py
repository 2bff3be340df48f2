"""Training shows a bar with the remaining time on a terminal, and only lines in a log."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_training import LIGHT_RECIPE, TinyTraining

# Task, bar, count, time spent, time left: as rich draws them, whatever the colours between.
BAR = re.compile(r"phase head\S* .*━.* \d+/\d+ .*\d:\d\d:\d\d.* (\d:\d\d:\d\d|-:--:--)")


@pytest.fixture(scope="module")
def short(light: TinyTraining, tmp_path_factory: pytest.TempPathFactory) -> TinyTraining:
    recipe = tmp_path_factory.mktemp("short") / "short.toml"
    head_alone, _, _ = LIGHT_RECIPE.rpartition("[[phases]]")
    recipe.write_text(head_alone.replace("epochs = 8", "epochs = 3"))
    return replace(light, recipe=recipe)


def on_a_terminal(command: list[str | Path]) -> str:
    ours, theirs = pty.openpty()
    terminal = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(command, stderr=theirs, env=terminal)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says so when the other end is closed
        while chunk := os.read(ours, 65536):
            shown += chunk
    os.close(ours)
    assert process.wait() == 0, shown.decode()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def test_a_terminal_shows_a_bar_with_the_time_left(short: TinyTraining, tmp_path: Path) -> None:
    shown = on_a_terminal(short.command(tmp_path / "run"))
    drawn = BAR.findall(shown)
    assert any(left != "-:--:--" for left in drawn), shown
    assert "epoch 3 of 3" in shown


def test_a_log_has_lines_alone(short: TinyTraining, tmp_path: Path) -> None:
    done = subprocess.run(short.command(tmp_path / "run"), capture_output=True, text=True, check=True)
    assert "epoch 3 of 3" in done.stderr
    assert "━" not in done.stderr
    assert "\x1b" not in done.stderr
