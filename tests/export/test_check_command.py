"""What pneumo-export check says about files that are not its own, and after an interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from small_models import METADATA, write_model

from pneumo_export.errors import GraphError
from pneumo_export.parity.recheck import check_file


def test_a_graph_that_onnx_finds_invalid_is_not_our_bug(tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.onnx", METADATA)
    model = onnx.load(file)
    model.graph.name = ""
    onnx.save(model, file)
    with pytest.raises(GraphError, match="not a valid ONNX graph") as raised:
        check_file(file, against=None, data=None, least_films=16)
    assert raised.value.remedy == "do not use this file; export the model again"


def test_an_interrupt_says_that_the_file_was_not_checked(tmp_path: Path) -> None:
    file = write_model(tmp_path / "m.onnx", METADATA)
    waits = tmp_path / "waits.keras"
    os.mkfifo(waits)
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    command = [sys.executable, "-m", "pneumo_export", "check", file, "--against", waits]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(signal.SIGINT, handler)
        with waits.open("wb"):  # once the command has opened it as well
            process.send_signal(signal.SIGINT)
            _, printed = process.communicate()
    assert process.returncode == 130
    assert f"{file} was not checked" in printed
    assert "nothing was written" not in printed
