"""What was typed comes back in usage errors of all programs, but never as it is."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from pneumo_export.commands import app as pneumo_export
from pneumo_infer.cli.options import app as pneumo_infer
from pneumo_infer.printable import printable
from pneumo_infer.serve.cli import app as pneumo_serve
from pneumo_train.commands import app as pneumo_train

HOSTILE = "\x1b]0;title\x07\r\u202eNORMAL[/b]\n"
CALLS: list[tuple[Any, list[str]]] = [
    (pneumo_infer, ["--device", HOSTILE, "a.png"]),
    (pneumo_infer, ["--threads", HOSTILE, "a.png"]),
    (pneumo_infer, [f"--{HOSTILE}", "a.png"]),
    (pneumo_train, [HOSTILE]),
    (pneumo_train, [f"--{HOSTILE}"]),
    (pneumo_train, ["--distribute", HOSTILE]),
    (pneumo_train, ["split", "--to", "x", "--seed", HOSTILE]),
    (pneumo_train, ["split", "--to", "x", HOSTILE]),
    (pneumo_train, ["split", "--to", "x", f"--{HOSTILE}"]),
    (pneumo_train, ["evaluate", "--model", "x", "--split", HOSTILE]),
    (pneumo_export, [HOSTILE]),
    (pneumo_export, ["--to", HOSTILE]),
    (pneumo_export, ["--to", "onnx", "--precision", HOSTILE]),
    (pneumo_export, ["--to", "onnx", f"--least-films={HOSTILE}"]),
    (pneumo_export, ["check", "x", HOSTILE]),
    (pneumo_serve, [HOSTILE]),
    (pneumo_serve, ["http", "--port", HOSTILE]),
    (pneumo_serve, ["dicom", f"--{HOSTILE}"]),
]


@pytest.mark.parametrize("case", range(len(CALLS)))
def test_usage_errors_escape_what_they_quote(case: int) -> None:
    app, arguments = CALLS[case]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "rror" in done.stderr
    assert [line for line in done.stderr.split("\n") if line != printable(line)] == []
