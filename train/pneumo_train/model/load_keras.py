"""Load Keras files without running code from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras


def load_keras(path: Path, **options: Any) -> keras.Model:
    """Load a `.keras` file in Keras' safe mode, which refuses layers with Python code of their own.

    Parameters
    ----------
    **options
        As for `keras.models.load_model`.

    Raises
    ------
    ValueError
        The file is in another format. Before 3.11.3, Keras ran code from HDF5 files in spite of the safe mode.
    Exception
        Keras can raise any exception for a damaged file.
    """
    if path.suffix != ".keras":
        raise ValueError("its name does not end in .keras")
    return keras.models.load_model(path, safe_mode=True, **options)
