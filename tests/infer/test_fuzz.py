"""Whatever is in a file, it is read or refused, and the time and memory for it are bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import fuzzing
import pytest

FILES = int(os.environ.get("PNEUMO_FUZZ_FILES", "2000"))
MOST_SECONDS, MOST_MEMORY = 3.0, 700_000_000  # 512 MB for a film, and what hypothesis and the libraries take
MOST_GROWTH = 1.1  # of memory, after the first thousand files


@pytest.mark.fuzz
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "JPEG2000", "DICOM"])
def test_spoiled_files_are_read_or_refused(form: str) -> None:
    command = [sys.executable, "-W", "ignore", fuzzing.__file__, form, str(FILES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    seen = json.loads(done.stdout)
    assert sum(seen["outcomes"].values()) >= FILES
    assert set(seen["outcomes"]) == {"film", "ImageError"}
    assert seen["slowest"] < MOST_SECONDS
    assert seen["peak_memory"] < MOST_MEMORY
    assert seen["memory"] <= MOST_GROWTH * seen["warm_memory"]
