"""Read JSON lines records from earlier commands, including old records without a `reason`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pneumo_infer.errors import PneumoError

LONGEST_LINE = 2**20  # bytes; a record takes less than a tenth, whatever the name of its film


class NotARecordError(PneumoError):
    """A line of a file of records is not a record."""

    def __init__(self, where: str) -> None:
        super().__init__(where, "not a pneumo-infer record", "use a file written with --format jsonl")


class Line(NamedTuple):
    """A line of a file: its number, its content, cut after `LONGEST_LINE` bytes, and its first and last position."""

    number: int
    content: bytes
    start: int
    end: int

    @property
    def is_whole(self) -> bool:
        """Whether the content is not cut, and ends with a line feed."""
        return self.content.endswith(b"\n")


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """Read the lines of a file. However long a line is, only its first `LONGEST_LINE` bytes are kept in memory."""
    number = end = 0
    while content := file.readline(LONGEST_LINE):
        number, start, end = number + 1, end, end + len(content)
        piece = content
        while not piece.endswith(b"\n") and (piece := file.readline(LONGEST_LINE)):
            end += len(piece)
        yield Line(number, content, start, end)


def parse_record(line: Line, where: str, expected: Mapping[str, Any]) -> dict[str, Any]:
    """Parse one record.

    Parameters
    ----------
    line
        A line of the file.
    where
        File and line number, for error messages.
    expected
        Fields and the values they must have, for example `model`. Records of earlier versions lack `model_sha256`.

    Returns
    -------
    dict
        The record, with at least `path` and the expected fields.

    Raises
    ------
    NotARecordError
        The line is not a pneumo-infer record.
    PneumoError
        A field differs from its expected value.
    """
    try:
        record: dict[str, Any] = json.loads(line.content if line.is_whole else b"")
        record["path"] = str(record["path"])
        found = {name: record[name] for name in expected if name in record or name != "model_sha256"}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotARecordError(where) from None
    for name, value in found.items():
        if value != expected[name]:
            raise PneumoError(
                where, f"made with {name} {value}, not {expected[name]}", f"use the same {name}, or another file"
            )
    return record


def read_answers(file: Path, expected: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float, float] | None]]:
    """Read the results in a file of records. An incomplete last line is skipped.

    Parameters
    ----------
    file
        JSON lines, as `--format jsonl` writes them.
    expected
        As for `parse_record`.

    Yields
    ------
    tuple
        The film's path, and its probability and domain distance, or None if the film was unreadable.

    Raises
    ------
    PneumoError
        The file cannot be read, or a line is not a record, or differs from what is expected.
    """
    try:
        with file.open("rb") as records:
            size = os.fstat(records.fileno()).st_size
            for line in read_lines(records):
                if line.is_whole or line.end < size:
                    where = f"{file}, line {line.number}"
                    record = parse_record(line, where, expected)
                    yield record["path"], _answer(record, where)
    except OSError as error:
        raise PneumoError(
            str(file), f"cannot be read ({error.strerror})", "check the path and its permissions"
        ) from error


def _answer(record: dict[str, Any], where: str) -> tuple[float, float] | None:
    if record.get("error") is not None:
        return None
    try:
        return float(record["probability"]), float(record["domain_distance"])
    except (ValueError, KeyError, TypeError, OverflowError):
        raise NotARecordError(where) from None
