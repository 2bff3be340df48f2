"""Open onnxruntime sessions: device selection, thread count and errors."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal

from pneumo_infer.cpu_count import cpu_count
from pneumo_infer.errors import DeviceError, MissingExtraError, ModelError, excerpt
from pneumo_infer.limits import MAX_THREADS
from pneumo_infer.model.checksum import Provenance, file_digest, require_released, verify
from pneumo_infer.model.cuda import preload_libraries, why_cuda_did_not_start
from pneumo_infer.model.info import packaged_models

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Device = Literal["auto", "cpu", "cuda"]
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
MAX_BYTES = 1_000_000_000  # the fp32 ResNet50 has 94 million
PREPARATION_SECONDS = 60.0  # the fp32 ResNet50 takes half a second on one slow core; CUDA may take many to start
LOG_WARNING, LOG_FATAL = 2, 4  # severity levels of onnxruntime
USE_GPU_BUILD = "uninstall onnxruntime and install pneumo-infer[gpu], or use --device cpu"
CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the default, an exhaustive search, takes seconds for each new batch size
    "arena_extend_strategy": "kSameAsRequested",
    "use_tf32": "0",  # TF32 rounding would break parity with the CPU
}


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model file in an onnxruntime session.

    Attributes
    ----------
    device
        What the session actually runs on: `cpu` or `cuda`.
    path
        The file.
    sha256
        Digest of what was loaded, hexadecimal.
    provenance
        What vouches for the file.
    """

    session: InferenceSession
    device: str
    path: Path
    sha256: str
    provenance: Provenance


def open_session(path: Path | None, device: Device = "auto", threads: int | None = None) -> OpenModel:
    """Open a model on a device, and verify it.

    Parameters
    ----------
    path
        The model file. None is the packaged one for the device, which must be the one that was released. The digest of
        another file is compared with `SHA256SUMS` next to it, and its graph is checked before it is loaded.
    device
        `cpu` never touches CUDA. `cuda` raises an error if CUDA does not start. `auto` uses CUDA if it starts and the
        CPU otherwise; it warns if the installed onnxruntime supports CUDA but CUDA does not start.
    threads
        CPU threads within an operation. None uses all CPUs available to this process.

    Raises
    ------
    MissingExtraError
        onnxruntime is not installed.
    DeviceError
        The device is unknown or did not start, `threads` is not from 1 to 1024, or both builds of onnxruntime are
        installed.
    ModelError
        The file is missing, was altered, has a graph that is refused, or cannot be loaded by onnxruntime.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"device {device!r}", "not a known device", "choose auto, cpu or cuda")
    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise DeviceError("threads", f"cannot be {threads}", f"give 1 to {MAX_THREADS}")
    onnxruntime = load_onnxruntime()
    options = _session_options(onnxruntime, threads)
    supported = CUDA in onnxruntime.get_available_providers()
    if device == "cuda" and not supported:
        raise DeviceError("cuda", "is not supported by the installed onnxruntime", USE_GPU_BUILD)
    if device != "cpu" and supported:
        opened = _try_cuda(onnxruntime, path, options)
        if opened is not None:
            return opened
        cause, remedy = why_cuda_did_not_start(onnxruntime)
        if device == "cuda":
            raise DeviceError("cuda", f"did not start ({cause})", f"{remedy}, or use --device cpu")
        warnings.warn(f"CUDA did not start ({cause}); running on the CPU", RuntimeWarning, stacklevel=3)
    return _open(onnxruntime, path, "cpu", options, [CPU])


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
    # Otherwise a file could be in the format of onnxruntime itself, which is not checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 3  # errors are raised as exceptions; warnings would clutter the caller's stderr
    # Let threads spin during a run but not between runs, when the caller may need the CPUs.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _open(onnxruntime: Any, path: Path | None, device: str, options: Any, providers: list[Any]) -> OpenModel:
    if path is None:
        return _open_packaged(onnxruntime, packaged_models()[device], device, options, providers)
    content = _read(path)
    sha256 = hashlib.sha256(content).hexdigest()
    provenance = verify(path, sha256)
    create = partial(_create, onnxruntime, path, content, options, providers)
    session = create() if provenance is Provenance.RELEASED else _check_and_create(content, path.name, create)
    session.disable_fallback()
    session._model_bytes = None  # else onnxruntime keeps the file in memory for the fallback
    return OpenModel(session, device, path, sha256, provenance)


def _check_and_create(content: bytes, name: str, create: Callable[[], Any]) -> Any:
    from pneumo_infer.model.graph import USE_EXPORTED, check_content
    from pneumo_infer.model.time_limit import in_time

    check_content(content, name)
    try:
        return in_time(PREPARATION_SECONDS, create)
    except TimeoutError:  # onnxruntime computes whatever depends on constants only, however much that is
        problem = f"was not ready to run within {PREPARATION_SECONDS:g} s"
        raise ModelError(name, problem, USE_EXPORTED) from None


def _open_packaged(onnxruntime: Any, path: Path, device: str, options: Any, providers: list[Any]) -> OpenModel:
    # Hashed in a thread while onnxruntime reads the file by itself: reading it once, into memory, costs 8 % of a cold
    # start and 20 MB. Whoever can replace the file in between can replace the code as well.
    digests: list[str] = []
    hashing = Thread(target=lambda: digests.append(file_digest(path)), daemon=True)
    hashing.start()
    try:
        session = _create(onnxruntime, path, str(path), options, providers)
    finally:
        hashing.join()
    (sha256,) = digests
    require_released(path, sha256)
    return OpenModel(session, device, path, sha256, Provenance.RELEASED)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ModelError(str(path), "does not exist", "check --model, or omit it to use the packaged model")
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise ModelError(
                    str(path), f"has more than {MAX_BYTES:,} bytes", "use an ONNX file written by pneumo-export"
                )
            return file.read()
    except OSError as error:
        raise ModelError(str(path), f"cannot be read ({error.strerror})", "check its permissions") from error


def _create(onnxruntime: Any, path: Path, source: str | bytes, options: Any, providers: list[Any]) -> Any:
    try:
        return onnxruntime.InferenceSession(source, options, providers=providers)
    except Exception as error:  # onnxruntime has a separate exception class for each status code
        raise ModelError(
            str(path), f"cannot be loaded ({excerpt(str(error))})", "use an ONNX file written by pneumo-export"
        ) from error


def _try_cuda(onnxruntime: Any, path: Path | None, options: Any) -> OpenModel | None:
    preload_libraries(onnxruntime)
    # The caller reports a failure in one line; onnxruntime would log many lines to standard error.
    onnxruntime.set_default_logger_severity(LOG_FATAL)
    try:
        opened = _open(onnxruntime, path, "cuda", options, [(CUDA, CUDA_OPTIONS), CPU])
    finally:
        onnxruntime.set_default_logger_severity(LOG_WARNING)
    # onnxruntime silently falls back to the CPU; only get_providers() shows it.
    return opened if CUDA in opened.session.get_providers() else None
