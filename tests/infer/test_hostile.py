"""No film costs more time or memory than it is worth, whatever is in its file; each in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile_films import FILMS
from reading_cost import reading_cost

MOST_SECONDS, MOST_MEMORY = 3.0, 600_000_000
# Those that take under a second to make and to read, one for each kind of limit.
QUICK = (
    "DICOM, JPEG 2000, other size",
    "DICOM, deflated, 4 GB, wrong length of meta information",
    "DICOM, millions of windows",
    "JPEG, shared EXIF values",
    "TIFF, a tile of 60,000 x 60,000",
)


def require_cheap(name: str, folder: Path) -> None:
    film = folder / "film"
    film.write_bytes(FILMS[name]())
    cost = reading_cost(film)
    assert cost.seconds < MOST_SECONDS, cost
    assert cost.memory < MOST_MEMORY, cost


@pytest.mark.parametrize("name", QUICK)
def test_a_hostile_film_is_cheap(name: str, tmp_path: Path) -> None:
    require_cheap(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FILMS if name not in QUICK])
def test_every_hostile_film_is_cheap(name: str, tmp_path: Path) -> None:
    require_cheap(name, tmp_path)
