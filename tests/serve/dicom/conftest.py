"""What the tests of the DICOM node share."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_models import METADATA, write_model

POPULATION = '{"age_years": [0, 6], "views": ["AP", "PA"]}'


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers with the brightness of films, and knows the patients that it was made for."""
    return write_model(tmp_path_factory.mktemp("model") / "small.onnx", {**METADATA, "population": POPULATION})
