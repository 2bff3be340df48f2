"""Whatever is in a file, it is read or refused, and the memory for it is bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import fuzzing
import pytest

FILES = int(os.environ.get("PNEUMO_FUZZ_FILES", "2000"))
# A film of the largest size that is read takes 64 MB as grey and four times that while its colours are decoded.
MOST_MEMORY = 1024


@pytest.mark.fuzz
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "DICOM"])
def test_spoiled_files_are_read_or_refused(form: str) -> None:
    command = [sys.executable, fuzzing.__file__, form, str(FILES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert sum(seen["outcomes"].values()) >= FILES
    assert set(seen["outcomes"]) == {"film", "ImageError"}
    assert seen["peak MiB"] < MOST_MEMORY
