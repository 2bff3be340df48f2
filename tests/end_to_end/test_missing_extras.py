"""A command whose packages are not installed prints one line with the remedy."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("package", "missing", "extra", "arguments"),
    [
        ("pneumo_infer", "onnxruntime", "cpu", ["--demo"]),
        ("pneumo_infer.serve", "fastapi", "serve", ["http"]),
        ("pneumo_train", "keras", "train", []),
        ("pneumo_train", "sklearn", "train", []),
        ("pneumo_export", "tf2onnx", "export", ["--to", "onnx"]),
    ],
)
def test_the_missing_extra_is_named(package: str, missing: str, extra: str, arguments: list[str]) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from {package}.__main__ import main"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    command = "pneumo-serve" if package.endswith("serve") else package.replace("_", "-")
    assert done.stderr == f"{command}: {missing}: is not installed; pip install 'pneumo-infer[{extra}]'\n"
