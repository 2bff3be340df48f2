"""Load the CUDA libraries, and find out why CUDA did not start."""

from __future__ import annotations

import ctypes
import io
import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE in cuda.h
VISIBLE = "CUDA_VISIBLE_DEVICES"
if os.name == "nt":
    DRIVER, CUDNN, PROVIDER = "nvcuda.dll", "cudnn64_9.dll", "onnxruntime_providers_cuda.dll"
else:
    DRIVER, CUDNN, PROVIDER = "libcuda.so.1", "libcudnn.so.9", "libonnxruntime_providers_cuda.so"


def preload_libraries(onnxruntime: Any) -> None:
    """Load the CUDA libraries that pip installed."""
    if hasattr(onnxruntime, "preload_dlls"):  # since 1.21
        with redirect_stdout(io.StringIO()):  # it prints missing libraries to stdout, which is for records only
            onnxruntime.preload_dlls()


def why_cuda_did_not_start(onnxruntime: Any) -> tuple[str, str]:
    """Ask the driver, and load the libraries that onnxruntime needs; onnxruntime only logs what went wrong.

    Returns
    -------
    tuple of str
        The cause and the remedy.
    """
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return "no NVIDIA driver found", "install the NVIDIA driver"
    code = driver.cuInit(0)
    if code == NO_DEVICE:
        hidden = f"; {VISIBLE} is {os.environ[VISIBLE]!r}" if VISIBLE in os.environ else ""
        return f"the NVIDIA driver found no GPU{hidden}", f"check nvidia-smi and {VISIBLE}"
    if code:
        return f"the NVIDIA driver failed with error {code}", "check nvidia-smi"
    version = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    major, minor = version.value // 1000, version.value % 1000 // 10
    needed = str(getattr(onnxruntime, "cuda_version", "")).partition(".")[0]
    if needed.isdecimal() and major < int(needed):
        cause = f"the NVIDIA driver supports CUDA {major}.{minor}, and onnxruntime needs CUDA {needed}"
        return cause, f"install a newer driver, or an onnxruntime-gpu for CUDA {major} (docs/gpu.md)"
    for library in (str(Path(onnxruntime.__file__).parent / "capi" / PROVIDER), CUDNN):
        try:
            ctypes.CDLL(library)
        except OSError as error:
            return str(error), "install pneumo-infer[gpu] again"
    return "onnxruntime gave no reason", "check the output of onnxruntime.print_debug_info()"
