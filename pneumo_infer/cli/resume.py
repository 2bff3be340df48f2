"""Resume a JSON lines file that an interrupted command left incomplete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pneumo_infer.cli.earlier_records import parse_record
from pneumo_infer.errors import PneumoError

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier


def finished_films(file: Path, classifier: Classifier) -> set[str]:
    """Return the films that already have a record, and remove an incomplete last line from the file.

    Returns
    -------
    set of str
        The `path` of each record, including those of unreadable films; empty if the file does not exist.

    Raises
    ------
    PneumoError
        The file cannot be read or written, has lines that are not records, or its records were made with a different
        model or threshold and so would not be comparable with new ones.
    """
    try:
        return _read_and_repair(file, {"model": classifier.model.path.name, "threshold": classifier.threshold})
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise PneumoError(str(file), f"cannot be resumed ({error.strerror})", "choose another --resume file") from error


def _read_and_repair(file: Path, expected: dict[str, Any]) -> set[str]:
    finished, size = set(), 0
    with file.open("r+b") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                break
            finished.add(parse_record(line, f"{file}, line {number}", expected)["path"])
            size += len(line)
        lines.truncate(size)
    return finished
