"""Why CUDA did not start, with drivers that stand in for NVIDIA's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GCC = shutil.which("gcc")
DRIVER = """
int cuInit(unsigned flags) {{ return {code}; }}
int cuDriverGetVersion(int *version) {{ *version = {version}; return 0; }}
"""
ASK = """
import onnxruntime
from pneumo_infer.model.cuda import why_cuda_did_not_start
onnxruntime.cuda_version = "13.0"
print("; ".join(why_cuda_did_not_start(onnxruntime)))
"""
pytestmark = pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is a GPU here")


def why(libraries: Path, **environment: str) -> str:
    variables = {**os.environ, **environment, "LD_LIBRARY_PATH": str(libraries)}
    done = subprocess.run([sys.executable, "-c", ASK], env=variables, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write_driver(folder: Path, code: int = 0, version: int = 13_000) -> None:
    if GCC is None:
        pytest.skip("needs gcc")
    source = folder / "driver.c"
    source.write_text(DRIVER.format(code=code, version=version))
    subprocess.run([GCC, "-shared", "-fPIC", "-o", folder / "libcuda.so.1", source], check=True)


def test_no_driver(tmp_path: Path) -> None:
    assert why(tmp_path) == "no NVIDIA driver found; install the NVIDIA driver"


def test_no_gpu(tmp_path: Path) -> None:
    write_driver(tmp_path, code=100)
    assert "the NVIDIA driver found no GPU; check nvidia-smi" in why(tmp_path)
    assert "found no GPU; CUDA_VISIBLE_DEVICES is ''" in why(tmp_path, CUDA_VISIBLE_DEVICES="")


def test_a_driver_that_fails(tmp_path: Path) -> None:
    write_driver(tmp_path, code=803)
    assert "failed with error 803" in why(tmp_path)


def test_an_old_driver(tmp_path: Path) -> None:
    write_driver(tmp_path, version=12_080)
    assert "supports CUDA 12.8, and onnxruntime needs CUDA 13" in why(tmp_path)


def test_a_missing_library(tmp_path: Path) -> None:
    write_driver(tmp_path)
    answer = why(tmp_path)
    assert "libonnxruntime_providers_cuda.so: cannot open shared object file" in answer
    assert "install pneumo-infer[gpu] again" in answer
