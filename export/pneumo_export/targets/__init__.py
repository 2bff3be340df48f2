"""The formats that `pneumo-export --to` writes: a module each, named after its format.

A module has a function `export` with the parameters of `pneumo_export.pipeline.export_onnx`, and `FOLDER`, the folder
beside the model that it writes to unless told otherwise.
"""

from __future__ import annotations

import pkgutil

FORMATS = tuple(module.name for module in pkgutil.iter_modules(__path__))
