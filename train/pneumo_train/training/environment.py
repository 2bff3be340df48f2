"""What a run computed with: processor, devices, and the version of every package."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import keras

from pneumo_infer.atomic_write import write_json
from pneumo_infer.cpu_count import cpu_count

ENVIRONMENT_FILE = "environment.json"


def note_environment(folder: Path) -> None:
    """Add this machine's environment to those that a run has been trained in, unless it was the last one too."""
    file = folder / ENVIRONMENT_FILE
    earlier = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    now = describe_environment()
    if earlier[-1:] != [now]:
        write_json(file, [*earlier, now])


def describe_environment() -> dict[str, Any]:
    """Describe the machine and the packages of this process, JSON-ready and without a path or a host's name."""
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
    """The processor's name where Linux tells it, else the architecture."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if os.access(cpuinfo, os.R_OK) else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _devices() -> list[str]:
    """What the backend computes on; Keras does not tell with torch."""
    devices: list[str] = keras.distribution.list_devices() if keras.backend.backend() != "torch" else []
    return devices
