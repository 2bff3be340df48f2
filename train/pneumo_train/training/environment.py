"""The environment of a run: CPU, devices and package versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import keras

from pneumo_infer.cpu_count import cpu_count
from pneumo_infer.files.atomic_write import write_json
from pneumo_train.side_files import SideFile

ENVIRONMENT_FILE = "environment.json"


def note_environment(folder: Path) -> None:
    """Append this machine's environment to the environments of a run, unless it equals the last one.

    Raises
    ------
    RunError
        The file of the environments is damaged.
    """
    file = folder / ENVIRONMENT_FILE
    earlier = SideFile(file, "restore or delete it").json(list[dict[str, Any]]) if file.exists() else []
    now = describe_environment()
    if earlier[-1:] != [now]:
        write_json(file, [*earlier, now])


def describe_environment() -> dict[str, Any]:
    """Describe the machine and the installed packages, JSON-ready and without paths or host names."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "processors": cpu_count(),
        "backend": keras.backend.backend(),
        "devices": _devices(),
        "packages": dict(sorted({d.name.lower(): d.version for d in distributions()}.items())),
    }


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the CPU on Linux, else its architecture."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if os.access(cpuinfo, os.R_OK) else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _devices() -> list[str]:
    """List the devices of the backend; Keras cannot list them with torch."""
    devices: list[str] = keras.distribution.list_devices() if keras.backend.backend() != "torch" else []
    return devices
