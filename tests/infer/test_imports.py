"""Imports run one way, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

import pneumo_infer

SERVING = {"fastapi", "highdicom", "prometheus_client", "pynetdicom", "python_multipart", "starlette", "uvicorn"}
TRAINING = {"tensorflow", "keras", "tf2onnx", "sklearn", "scipy", "matplotlib", "pneumo_train", "pneumo_export"}


def modules_after(code: str) -> set[str]:
    code = textwrap.dedent(code) + "\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert not any(name.startswith("pneumo_infer.serve") for name in loaded) or "pneumo_infer.serve.cli" in code
    return {name.partition(".")[0] for name in loaded}


def test_classifying_loads_no_training_library() -> None:
    loaded = modules_after(
        """
        from pneumo_infer import Classifier
        from pneumo_infer.cli.command import SAMPLES
        Classifier(device="cpu").predict(SAMPLES / "normal.png")
        """
    )
    assert {"onnxruntime", "numpy", "PIL"} <= loaded
    assert not loaded & (TRAINING | SERVING)


def test_films_alone_wait_for_no_options() -> None:
    loaded = modules_after(
        """
        import contextlib, sys
        from pneumo_infer.cli.command import SAMPLES
        from pneumo_infer.cli.main import main
        sys.argv = ["pneumo-infer", str(SAMPLES / "normal.png")]
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
            main()
        """
    )
    assert {"onnxruntime", "numpy", "PIL"} <= loaded
    assert not loaded & (TRAINING | SERVING | {"typer", "rich", "pydantic"})


def test_help_loads_neither_onnxruntime_nor_numpy() -> None:
    loaded = modules_after(
        """
        import contextlib, io
        from typer.testing import CliRunner
        from pneumo_infer.cli.options import app
        assert "IMAGE" in CliRunner().invoke(app, ["--help"]).output
        """
    )
    assert "typer" in loaded
    assert not loaded & (TRAINING | {"onnxruntime", "numpy", "PIL"})


def test_help_of_services_loads_none_of_their_packages() -> None:
    loaded = modules_after(
        """
        from typer.testing import CliRunner
        from pneumo_infer.serve.cli import app
        assert "--token-file" in CliRunner().invoke(app, ["http", "--help"], env={"COLUMNS": "200"}).output
        """
    )
    assert not loaded & (TRAINING | SERVING | {"onnxruntime", "numpy", "PIL"})


@pytest.mark.parametrize("module", ["pneumo_infer.cli.main", "pneumo_train.cli", "pneumo_export.cli"])
def test_programs_start_before_they_import_anything(module: str) -> None:
    always = modules_after("import __future__, atexit, re, signal")  # the installer's own script imports re
    package = module.partition(".")[0]
    assert modules_after(f"import {module}") - always <= {"pneumo_infer", package}


def test_telemetry_is_off_before_onnxruntime_is_imported() -> None:
    code = """
        import os
        from pneumo_infer.model.session import load_onnxruntime
        load_onnxruntime()
        assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
        """
    assert "onnxruntime" in modules_after(code)


def test_the_public_face_is_complete() -> None:
    for name in pneumo_infer.__all__:
        assert getattr(pneumo_infer, name) is not None
    assert sorted(pneumo_infer.__all__) == [
        "Classifier",
        "DeviceError",
        "ImageError",
        "Limits",
        "MissingExtraError",
        "ModelError",
        "ModelInfo",
        "OperatingPoint",
        "PneumoError",
        "Prediction",
        "__version__",
    ]
