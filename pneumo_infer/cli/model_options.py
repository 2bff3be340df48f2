"""Options that choose the model and how it decides, shared by pneumo-infer and pneumo-serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from pneumo_infer.cli.command import DeviceChoice

MEGABYTE = 1_000_000

ModelOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(envvar="PNEUMO_MODEL", help="ONNX file written by pneumo-export. Default: the packaged model."),
]
ThresholdOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NUMBER|NAME", help="Probability, or name of an operating point.")
]
DeviceOption: TypeAlias = Annotated[
    DeviceChoice, typer.Option(envvar="PNEUMO_DEVICE", help="auto uses CUDA if it starts, otherwise the CPU.")
]
