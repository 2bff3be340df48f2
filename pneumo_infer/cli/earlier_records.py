"""Records that an earlier command wrote as JSON lines; those from before there was a `reason` are read too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pneumo_infer.errors import PneumoError


def parse_record(line: bytes, where: str, now: Mapping[str, Any]) -> dict[str, Any]:
    """Read one record.

    Parameters
    ----------
    where
        The line's place, for messages.
    now
        Fields that must be equal in the record, for example `model`.

    Raises
    ------
    PneumoError
        It is no record of pneumo-infer, or a field in `now` differs.
    """
    try:
        record: dict[str, Any] = json.loads(line)
        record["path"] = str(record["path"])
        then = {name: record[name] for name in now}
    except (ValueError, KeyError, TypeError):
        raise _no_record(where) from None
    for name, value in now.items():
        if then[name] != value:
            raise PneumoError(
                where, f"was made with {name} {then[name]}, not {value}", f"give the same {name}, or another file"
            )
    return record


def read_answers(file: Path, model: str) -> Iterator[tuple[str, tuple[float, float] | None]]:
    """Read what a file of records says of each film; a last line that was cut off is left out.

    Parameters
    ----------
    model
        The file name of the model that must have made them.

    Yields
    ------
    tuple
        The film's path, and its probability and domain distance, or None where it could not be read.

    Raises
    ------
    PneumoError
        The file cannot be read, or a line is no record of this model.
    """
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.endswith(b"\n"):
                    where = f"{file}, line {number}"
                    record = parse_record(line, where, {"model": model})
                    yield record["path"], _answer(record, where)
    except OSError as error:
        raise PneumoError(str(file), f"cannot be read ({error.strerror})", "name a file of --format jsonl") from error


def _answer(record: dict[str, Any], where: str) -> tuple[float, float] | None:
    if record.get("error") is not None:
        return None
    try:
        return float(record["probability"]), float(record["domain_distance"])
    except (ValueError, KeyError, TypeError):
        raise _no_record(where) from None


def _no_record(where: str) -> PneumoError:
    return PneumoError(where, "is no record of pneumo-infer", "name a file of --format jsonl")
