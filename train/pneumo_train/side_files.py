"""Read files that people edit or other programs write: CSV, JSON and TOML.

Every error names the file, the line or field, the problem and the remedy, whatever the file contains.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from pneumo_infer.errors import PneumoError
from pneumo_infer.files.csv_files import restore
from pneumo_train.errors import RunError

MAX_BYTES = 256 * 2**20  # a split of a million films has 100 MB
SHOWN = 60  # characters of a wrong value in a message
PROBLEMS = 5  # problems of one file in a message

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SideFile:
    """A file to read, and how to report what is wrong with it.

    Attributes
    ----------
    remedy
        What the user can do about a damaged or missing file.
    error
        The class of the errors.
    """

    path: Path
    remedy: str
    error: type[PneumoError] = RunError

    def text(self) -> str:
        """Read the file as UTF-8, with or without a byte order mark.

        Raises
        ------
        PneumoError
            It cannot be read, is too large, or is not UTF-8.
        """
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            raise self.wrong(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
        if len(content) > MAX_BYTES:
            raise self.wrong(f"is larger than {MAX_BYTES // 2**20} MB")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise self.wrong("is not UTF-8; save it as UTF-8", line) from error

    def rows(self, kind: type[T], *, protected: bool = False) -> list[tuple[int, T]]:
        """Read a CSV file whose first line names the columns; columns that `kind` does not have are ignored.

        Parameters
        ----------
        kind
            Class of a row: a dataclass or a pydantic model.
        protected
            Whether the file is of the kind that `CsvWriter` writes, with `'` in front of formulas.

        Returns
        -------
        list of tuple
            Line number, counted from 1, and row.

        Raises
        ------
        PneumoError
            The file cannot be read, lacks a column, or has an invalid row.
        """
        adapter, rows, records = TypeAdapter(kind), [], self._records()
        if not records:
            raise self.wrong("is empty")
        header = [name.strip() for name in records[0][1]]
        for line, values in records[1:]:
            if len(values) != len(header):
                raise self.wrong(f"has {len(values)} fields, but the first line names {len(header)}", line)
            cells = map(restore, values) if protected else values
            try:
                rows.append((line, adapter.validate_python(dict(zip(header, cells, strict=True)))))
            except ValidationError as error:
                first = error.errors()[0]
                if first["type"] == "missing":
                    raise self.wrong(f"has no column {first['loc'][0]}", 1) from error
                raise self.wrong(describe_problem(first), line) from error
        return rows

    def _records(self) -> list[tuple[int, list[str]]]:
        """Split the file into records, each with the number of its first line; empty lines are skipped."""
        reader, records, line = csv.reader(io.StringIO(self.text(), newline=""), strict=True), [], 1
        try:
            for values in reader:
                if values:
                    records.append((line, values))
                line = reader.line_num + 1
        except csv.Error as error:
            raise self.wrong(f"is not a valid CSV file ({error})", line) from error
        return records

    def json(self, kind: type[T]) -> T:
        """Read a JSON file as an object of a class: a dataclass, a pydantic model or a type such as `list[str]`.

        Raises
        ------
        PneumoError
            The file cannot be read, is not valid JSON, or a field is missing, unknown or of the wrong type.
        """
        try:
            return TypeAdapter(kind).validate_json(self.text())
        except ValidationError as error:
            raise self.wrong(describe_problems(error.errors())) from error

    def toml(self) -> dict[str, Any]:
        """Read a TOML file.

        Raises
        ------
        PneumoError
            The file cannot be read or is not valid TOML.
        """
        text = self.text()
        try:
            return tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.wrong(f"not a valid TOML file ({error})") from error

    def wrong(self, problem: str, line: int | None = None) -> PneumoError:
        """Create the error for a problem with the file or with one of its lines."""
        return self.error(str(self.path) if line is None else f"{self.path}, line {line}", problem, self.remedy)


def is_utf8(text: str) -> bool:
    """Return whether a text can be written to a side file. Python marks bytes of paths that are not UTF-8 (PEP 383)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def describe_problems(errors: Sequence[ErrorDetails]) -> str:
    """Describe validation errors; the first ones if there are many."""
    more = len(errors) - PROBLEMS
    return "; ".join(map(describe_problem, errors[:PROBLEMS])) + (f"; and {more} more problems" if more > 0 else "")


def describe_problem(error: ErrorDetails) -> str:
    """Describe a validation error: its field, the problem, and the value if it is a short one."""
    field = ".".join(map(str, error["loc"]))
    problem = "unknown key" if error["type"] == "extra_forbidden" else error["msg"].removeprefix("Value error, ")
    if isinstance(error["input"], str | int | float) and error["type"] not in ("missing", "extra_forbidden"):
        problem += f", not {_shortened(error['input'])}"
    return f"{field}: {problem}" if field else problem


def _shortened(value: str | float) -> str:
    try:
        shown = repr(value)
    except ValueError:  # an integer with more digits than Python converts
        return "a number with thousands of digits"
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
