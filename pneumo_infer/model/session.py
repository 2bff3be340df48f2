"""Open onnxruntime sessions: device selection, thread count and errors."""

from __future__ import annotations

import io
import os
import warnings
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pneumo_infer.cpu_count import cpu_count
from pneumo_infer.errors import DeviceError, MissingExtraError, ModelError
from pneumo_infer.model.checksum import start_verifying

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Device = Literal["auto", "cpu", "cuda"]
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
LOG_WARNING, LOG_FATAL = 2, 4  # severity levels of onnxruntime
CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the default, an exhaustive search, takes seconds for each new batch size
    "arena_extend_strategy": "kSameAsRequested",
    "use_tf32": "0",  # TF32 rounding would break parity with the CPU
}


def open_session(
    path: Path, device: Device = "auto", threads: int | None = None, on_cuda: Path | None = None
) -> tuple[InferenceSession, str]:
    """Open a model on a device and verify the file against SHA256SUMS next to it.

    Parameters
    ----------
    path, on_cuda
        The model file, and the file to use on CUDA if it is a different one.
    device
        `cpu` never touches CUDA. `cuda` raises an error if CUDA does not start. `auto` uses CUDA if it starts and the
        CPU otherwise; it warns if the installed onnxruntime supports CUDA but CUDA does not start.
    threads
        CPU threads within an operation. None uses all CPUs available to this process.

    Returns
    -------
    tuple
        The session, and the device it actually runs on: `cpu` or `cuda`.

    Raises
    ------
    MissingExtraError
        onnxruntime is not installed.
    DeviceError
        The device is unknown or did not start, `threads` is below 1, or both builds of onnxruntime are installed.
    ModelError
        The file is missing, was altered, or cannot be loaded by onnxruntime.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"device {device!r}", "not a known device", "choose auto, cpu or cuda")
    if threads is not None and threads < 1:
        raise DeviceError("threads", f"cannot be {threads}", "give 1 or more")
    onnxruntime = load_onnxruntime()
    options = _session_options(onnxruntime, threads)
    if device == "cpu" or (device == "auto" and CUDA not in onnxruntime.get_available_providers()):
        return _create(onnxruntime, path, options, [CPU]), "cpu"
    session, reason = _try_cuda(onnxruntime, on_cuda or path, options)
    if session is not None:
        return session, "cuda"
    if device == "cuda":
        raise DeviceError("cuda", reason, "install the NVIDIA driver and pneumo-infer[gpu], or use --device cpu")
    warnings.warn(f"CUDA {reason}; running on the CPU", RuntimeWarning, stacklevel=3)
    return _create(onnxruntime, path, options, [CPU]), "cpu"


def load_onnxruntime() -> Any:
    """Import onnxruntime with telemetry disabled.

    Raises
    ------
    MissingExtraError
        onnxruntime is not installed.
    DeviceError
        Both builds of onnxruntime are installed, so one may have overwritten files of the other.
    """
    # Since 1.29, onnxruntime also sends telemetry on Linux and macOS unless this is set before it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    if _both_builds_are_installed():
        raise DeviceError(
            "onnxruntime and onnxruntime-gpu",
            "both are installed, but they overwrite each other",
            "uninstall both, then run: pip install 'pneumo-infer[cpu]' (or 'pneumo-infer[gpu]')",
        )
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnxruntime", "cpu") from error
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _both_builds_are_installed() -> bool:
    # Listing the folder twice is faster than importing importlib.metadata.
    found = find_spec("onnxruntime")
    if found is None or found.origin is None:
        return False
    site_packages = Path(found.origin).parents[1]
    return all(any(site_packages.glob(f"{build}-*.dist-info")) for build in ("onnxruntime", "onnxruntime_gpu"))


def _session_options(onnxruntime: Any, threads: int | None) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cpu_count()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors are raised as exceptions; warnings would clutter the caller's stderr
    # Let threads spin during a run but not between runs, when the caller may need the CPUs.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _create(onnxruntime: Any, path: Path, options: Any, providers: list[Any]) -> InferenceSession:
    if not path.is_file():
        raise ModelError(str(path), "does not exist", "check --model, or omit it to use the packaged model")
    wait_for_digest = start_verifying(path)
    try:
        session: InferenceSession = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime has a separate exception class for each status code
        reason = str(error).splitlines()[0]
        raise ModelError(
            str(path), f"cannot be loaded ({reason})", "use an ONNX file written by pneumo-export"
        ) from error
    wait_for_digest()
    return session


def _try_cuda(onnxruntime: Any, path: Path, options: Any) -> tuple[InferenceSession | None, str]:
    if CUDA not in onnxruntime.get_available_providers():
        return None, "is not supported by the installed onnxruntime"
    missing = _preload_libraries(onnxruntime)
    # The caller reports a failure in one line; onnxruntime would log many lines to standard error.
    onnxruntime.set_default_logger_severity(LOG_FATAL)
    try:
        session = _create(onnxruntime, path, options, [(CUDA, CUDA_OPTIONS), CPU])
    finally:
        onnxruntime.set_default_logger_severity(LOG_WARNING)
    # onnxruntime silently falls back to the CPU; only get_providers() shows it.
    if CUDA in session.get_providers():
        return session, ""
    return None, f"did not start on this machine{missing}"


def _preload_libraries(onnxruntime: Any) -> str:
    """Load the CUDA libraries that pip installed, and return the first missing one, formatted for a message."""
    if not hasattr(onnxruntime, "preload_dlls"):  # before 1.21
        return ""
    printed = io.StringIO()
    with redirect_stdout(printed):  # it prints missing libraries to stdout, which is for records only
        onnxruntime.preload_dlls()
    lines = [line for line in printed.getvalue().splitlines() if line.startswith("Failed to load ")]
    return f" ({lines[0].removeprefix('Failed to load ').partition(': ')[2]})" if lines else ""
