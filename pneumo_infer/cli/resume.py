"""A JSON lines file that an earlier, interrupted command began: what it has, and how it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pneumo_infer.cli.earlier_records import parse_record
from pneumo_infer.errors import PneumoError

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier


def finished_films(file: Path, classifier: Classifier) -> set[str]:
    """Read which films have their record, and cut off a last line that is not whole.

    Returns
    -------
    set of str
        The `path` of each record, also of films that could not be read; empty where there is no file yet.

    Raises
    ------
    PneumoError
        The file cannot be read or written, is no file of records, or its records were made with another model or
        threshold, so that those to come would not compare with them.
    """
    try:
        return _read_and_repair(file, {"model": classifier.model.path.name, "threshold": classifier.threshold})
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise PneumoError(str(file), f"cannot be gone on with ({error.strerror})", "name another --resume") from error


def _read_and_repair(file: Path, now: dict[str, Any]) -> set[str]:
    finished, whole = set(), 0
    with file.open("r+b") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                break
            finished.add(parse_record(line, f"{file}, line {number}", now)["path"])
            whole += len(line)
        lines.truncate(whole)
    return finished
