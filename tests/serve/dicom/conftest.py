"""What the tests of the DICOM node share."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_models import METADATA, write_model

POPULATION = '{"age_years": [0, 6], "views": ["AP", "PA"]}'


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers with the brightness of films, and knows the patients that it was made for."""
    return write_model(tmp_path_factory.mktemp("model") / "small.onnx", {**METADATA, "population": POPULATION})


@pytest.fixture(autouse=True)
def _collect_sockets() -> Iterator[None]:
    """Close sockets of associations that failed, which pynetdicom leaves to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
