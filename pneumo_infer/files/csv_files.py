"""Write CSV by the standard (RFC 4180), and without cells that a spreadsheet would run as formulas."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any, TextIO

# A cell that starts with one of these is a formula in some spreadsheet; the last four are full-width forms.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
QUOTE = "'"


class CsvWriter:
    """Writes rows to a text file that was opened with `newline=""`. Rows end with a line feed.

    Parameters
    ----------
    out
        The text file.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        # The module csv quotes the characters of its line terminator, but a carriage return only from Python 3.13 on.
        self._writer = csv.writer(self, lineterminator="\r\n")

    def write(self, row: str) -> None:
        """Write one encoded row. This is for the module `csv`."""
        self._out.write(row.removesuffix("\r\n") + "\n")

    def write_row(self, cells: Iterable[Any]) -> None:
        """Write one row; text is protected as in `protect`."""
        self._writer.writerow([protect(cell) if isinstance(cell, str) else cell for cell in cells])


def protect(cell: str) -> str:
    """Put `'` in front of a cell that a spreadsheet would take for a formula, and of one that starts with `'`.

    A single character, such as `-`, is not a formula and stays as it is. `restore` reverses this.
    """
    return f"{QUOTE}{cell}" if len(cell) > 1 and cell.startswith((*FORMULA_STARTS, QUOTE)) else cell


def restore(cell: str) -> str:
    """Reverse `protect`."""
    return cell[1:] if len(cell) > 1 and cell.startswith(QUOTE) else cell
