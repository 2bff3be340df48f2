"""The formats of `pneumo-export --to`, one module each, named after the format.

A module defines `export`, a function with the parameters of `pneumo_export.pipeline.export_onnx`, and `FOLDER`, the
name of the default output folder, which is next to the model.
"""

from __future__ import annotations

import pkgutil

FORMATS = tuple(module.name for module in pkgutil.iter_modules(__path__))
