"""CSV that programs and spreadsheets read as it was meant."""

from __future__ import annotations

import csv
import io

import pytest

from pneumo_infer.files.csv_files import FORMULA_STARTS, CsvWriter, protect, restore

CELLS = [
    "a,b",
    'a"b',
    "a\rb",
    "a\nb",
    "a\r\nb",
    "\r\n",
    "=1+1",
    "'=1",
    "'",
    "''",
    "-",
    "-1",
    "@SUM(A1)",
    "\t=1",
    " ",
    "",
]


def test_cells_come_back_as_they_were() -> None:
    out = io.StringIO(newline="")
    writer = CsvWriter(out)
    writer.write_row(["name", "number", "nothing"])
    for cell in CELLS:
        writer.write_row([cell, -1.5, None])
    header, *rows = csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True)
    assert header == ["name", "number", "nothing"]
    assert [[restore(row[0]), *row[1:]] for row in rows] == [[cell, "-1.5", ""] for cell in CELLS]


def test_rows_end_with_a_line_feed() -> None:
    out = io.StringIO(newline="")
    CsvWriter(out).write_row(["a", "b"])
    assert out.getvalue() == "a,b\n"


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_no_cell_is_a_formula(start: str) -> None:
    assert protect(f"{start}cmd|' /C calc'!A0").startswith("'")
