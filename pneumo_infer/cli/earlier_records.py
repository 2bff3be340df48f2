"""Read JSON lines records from earlier commands, including old records without a `reason`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pneumo_infer.errors import PneumoError


def parse_record(line: bytes, where: str, expected: Mapping[str, Any]) -> dict[str, Any]:
    """Parse one record.

    Parameters
    ----------
    line
        A line of the file.
    where
        File and line number, for error messages.
    expected
        Fields and the values they must have, for example `model`.

    Returns
    -------
    dict
        The record, with at least `path` and the expected fields.

    Raises
    ------
    PneumoError
        The line is not a pneumo-infer record, or a field differs from its expected value.
    """
    try:
        record: dict[str, Any] = json.loads(line)
        record["path"] = str(record["path"])
        found = {name: record[name] for name in expected}
    except (ValueError, KeyError, TypeError):
        raise _not_a_record(where) from None
    for name, value in expected.items():
        if found[name] != value:
            raise PneumoError(
                where, f"made with {name} {found[name]}, not {value}", f"use the same {name}, or another file"
            )
    return record


def read_answers(file: Path, model: str) -> Iterator[tuple[str, tuple[float, float] | None]]:
    """Read the results in a file of records. An incomplete last line is skipped.

    Parameters
    ----------
    file
        JSON lines, as `--format jsonl` writes them.
    model
        The file name of the model that the records must come from.

    Yields
    ------
    tuple
        The film's path, and its probability and domain distance, or None if the film was unreadable.

    Raises
    ------
    PneumoError
        The file cannot be read, or a line is not a record of this model.
    """
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.endswith(b"\n"):
                    where = f"{file}, line {number}"
                    record = parse_record(line, where, {"model": model})
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
    except (ValueError, KeyError, TypeError):
        raise _not_a_record(where) from None


def _not_a_record(where: str) -> PneumoError:
    return PneumoError(where, "not a pneumo-infer record", "use a file written with --format jsonl")
