"""onnxruntime sessions: which device, how many threads, and what to say when it does not come up."""

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
LOG_WARNING, LOG_FATAL = 2, 4  # onnxruntime's severities
CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the exhaustive default takes seconds for every new batch size
    "arena_extend_strategy": "kSameAsRequested",
    "use_tf32": "0",  # its rounding would break parity with the CPU
}


def open_session(
    path: Path, device: Device = "auto", threads: int | None = None, on_cuda: Path | None = None
) -> tuple[InferenceSession, str]:
    """Open a model on a device, and make sure that the file is the one that SHA256SUMS beside it lists.

    Parameters
    ----------
    path, on_cuda
        The file, and the one for CUDA if that is another.
    device
        `cpu` never touches CUDA; `cuda` must come up; `auto` takes CUDA where it comes up and the CPU else, with one
        warning where the installed onnxruntime has CUDA and the machine's does not start.
    threads
        CPU threads within an operation; the processors that this process may use if None.

    Returns
    -------
    tuple
        The session, and the device that it really runs on, `cpu` or `cuda`.

    Raises
    ------
    MissingExtraError
        onnxruntime is not installed.
    DeviceError
        The device is unknown, did not come up, or both builds of onnxruntime are installed.
    ModelError
        onnxruntime cannot load the file, or it was altered.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"device {device!r}", "is unknown", "choose auto, cpu or cuda")
    if threads is not None and threads < 1:
        raise DeviceError(f"{threads} threads", "cannot run a model", "give 1 or more")
    onnxruntime = load_onnxruntime()
    options = _session_options(onnxruntime, threads)
    if device == "cpu" or (device == "auto" and CUDA not in onnxruntime.get_available_providers()):
        return _create(onnxruntime, path, options, [CPU]), "cpu"
    session, reason = _try_cuda(onnxruntime, on_cuda or path, options)
    if session is not None:
        return session, "cuda"
    if device == "cuda":
        raise DeviceError("cuda", reason, "install its driver and pneumo-infer[gpu], or use the CPU with --device cpu")
    warnings.warn(f"CUDA {reason}; running on the CPU", RuntimeWarning, stacklevel=3)
    return _create(onnxruntime, path, options, [CPU]), "cpu"


def load_onnxruntime() -> Any:
    """Import onnxruntime with its telemetry off.

    Raises
    ------
    MissingExtraError
        It is not installed.
    DeviceError
        Both of its builds are installed, so that either may have overwritten the other.
    """
    # From 1.29 on onnxruntime reports usage from Linux and macOS too, unless told not to before it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    if _both_builds_are_installed():
        raise DeviceError(
            "onnxruntime and onnxruntime-gpu",
            "are both installed and overwrite each other",
            "pip uninstall both, then pip install 'pneumo-infer[cpu]' or 'pneumo-infer[gpu]'",
        )
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError("onnxruntime", "cpu") from error
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _both_builds_are_installed() -> bool:
    # Two looks into one folder; importing importlib.metadata takes longer.
    found = find_spec("onnxruntime")
    if found is None or found.origin is None:
        return False
    beside = Path(found.origin).parents[1]
    return all(any(beside.glob(f"{build}-*.dist-info")) for build in ("onnxruntime", "onnxruntime_gpu"))


def _session_options(onnxruntime: Any, threads: int | None) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cpu_count()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # its errors come back as exceptions; warnings would mix with the caller's stderr
    # Threads may spin within a film, but not until the next one comes: a program has other work for the processors.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _create(onnxruntime: Any, path: Path, options: Any, providers: list[Any]) -> InferenceSession:
    if not path.is_file():
        raise ModelError(str(path), "does not exist", "check --model, or leave it out for the model that ships")
    require_released = start_verifying(path)
    try:
        session: InferenceSession = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime has one exception class for each of its status codes
        reason = str(error).splitlines()[0]
        raise ModelError(
            str(path), f"cannot be loaded ({reason})", "give an ONNX file that pneumo-export wrote"
        ) from error
    require_released()
    return session


def _try_cuda(onnxruntime: Any, path: Path, options: Any) -> tuple[InferenceSession | None, str]:
    if CUDA not in onnxruntime.get_available_providers():
        return None, "is not built into the installed onnxruntime"
    missing = _preload_libraries(onnxruntime)
    # What goes wrong is said once, by us; onnxruntime says it over many lines of standard error.
    onnxruntime.set_default_logger_severity(LOG_FATAL)
    try:
        session = _create(onnxruntime, path, options, [(CUDA, CUDA_OPTIONS), CPU])
    finally:
        onnxruntime.set_default_logger_severity(LOG_WARNING)
    # onnxruntime falls back to the CPU by itself and says so only here.
    if CUDA in session.get_providers():
        return session, ""
    return None, f"did not start on this machine{missing}"


def _preload_libraries(onnxruntime: Any) -> str:
    """Load the CUDA libraries that pip installed; returns the first that is missing, for a message."""
    if not hasattr(onnxruntime, "preload_dlls"):  # before 1.21
        return ""
    printed = io.StringIO()
    with redirect_stdout(printed):  # where records go, and it prints what it does not find
        onnxruntime.preload_dlls()
    lines = [line for line in printed.getvalue().splitlines() if line.startswith("Failed to load ")]
    return f" ({lines[0].removeprefix('Failed to load ').partition(': ')[2]})" if lines else ""
