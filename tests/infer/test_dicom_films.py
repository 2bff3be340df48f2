"""The page about pydicom's own test films says what is read and refused today."""

from __future__ import annotations

import pydicom

from tools.dicom_films import PAGE, rows


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    written = dict(row.split(" | ", 1) for row in page.splitlines() if row.startswith("| `"))
    found = dict(row.split(" | ", 1) for row in rows())
    if f"pydicom {pydicom.__version__};" not in page:  # other versions come with other files
        found = {file: outcome for file, outcome in found.items() if file in written}
    assert len(found) > 50
    assert {file: written.get(file) for file in found} == found
