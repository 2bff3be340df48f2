"""Resume a JSON lines file that an interrupted command left incomplete."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from pneumo_infer.cli.inputs import STDIN, Identities
from pneumo_infer.cli.output.console import warn
from pneumo_infer.cli.resume.earlier_records import Line, NotARecordError, parse_record, read_lines
from pneumo_infer.errors import PneumoError
from pneumo_infer.files.atomic_write import is_device_or_pipe, replacing
from pneumo_infer.files.file_lock import lock_if_supported
from pneumo_infer.films.search.file_state import FileState, file_state
from pneumo_infer.films.source import source_name

if TYPE_CHECKING:
    from pneumo_infer.classifier import Classifier
    from pneumo_infer.films.source import FilmSource

RECORD_START = b'{"path": '


@contextmanager
def resuming(
    path: Path, films: Iterable[FilmSource], classifier: Classifier
) -> Iterator[tuple[list[FilmSource], TextIO]]:
    """Open a file of records, locked against other processes, to add the records of the films that it lacks.

    A film whose file has another size or time than in its record is read again, and the old record is removed. A last
    line that is damaged, as after a power failure, is removed as well. Both are reported on standard error.

    Parameters
    ----------
    path
        The file. It is created if it does not exist.
    films
        All films of the command.
    classifier
        The model and threshold that the records must come from.

    Yields
    ------
    tuple
        The films that have no record, and the file, to which records are appended.

    Raises
    ------
    PneumoError
        The file cannot be read or written, is in use, has lines that are not records, or its records were made with a
        different model or threshold and so would not be comparable with new ones.
    """
    try:
        file = _open_locked(path)
        try:
            records = _read_records(file, path, classifier)
            remaining, outdated = records.compare(films)
            if outdated:
                warn(f"{path}: {len(outdated)} films have changed since; they are read again")
                file = _rewrite_without(file, path, outdated)
            with io.TextIOWrapper(file, encoding="utf-8", newline="") as out:
                yield remaining, out
        finally:
            file.close()
    except OSError as error:
        reason = error.strerror or error
        raise PneumoError(str(path), f"cannot be resumed ({reason})", "choose another --resume file") from error


@dataclass
class Records:
    """The earlier records: for each film the number of its line, and the state of its file."""

    identities: Identities = field(default_factory=Identities)
    lines: dict[str, tuple[int, FileState | None]] = field(default_factory=dict)

    def compare(self, films: Iterable[FilmSource]) -> tuple[list[FilmSource], set[int]]:
        """Return the films to read, and the numbers of the lines whose films have changed since."""
        remaining: list[FilmSource] = []
        outdated: set[int] = set()
        for film in films:
            name = source_name(film)
            line, state = self.lines.get(self.identities.of(name), (0, None))
            if line and name != STDIN:  # standard input has a different film each time
                if state == file_state(film):
                    continue
                outdated.add(line)
            remaining.append(film)
        return remaining, outdated


def _open_locked(path: Path) -> io.BufferedRandom:
    if is_device_or_pipe(path):
        raise PneumoError(str(path), "not a regular file", "choose another --resume file")
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666), "r+b")
        if not lock_if_supported(file.fileno()):
            file.close()
            raise PneumoError(
                str(path), "is being written by another process", "wait until it has ended, or choose another file"
            )
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()  # another process has replaced it in the meantime


def _read_records(file: BinaryIO, path: Path, classifier: Classifier) -> Records:
    records = Records()
    expected = {
        "model": classifier.model.path.name,
        "model_sha256": classifier.model.sha256,
        "threshold": classifier.threshold,
    }
    size = os.fstat(file.fileno()).st_size
    for line in read_lines(file):
        where = f"{path}, line {line.number}"
        try:
            record = parse_record(line, where, expected)
        except NotARecordError:
            if line.end < size or not _is_torn(line, records):
                raise
            warn(f"{where}: incomplete; it is removed, and its film is read again")
            file.truncate(line.start)
            break
        state = FileState(record["film_bytes"], record["film_modified"]) if "film_bytes" in record else None
        records.lines[records.identities.of(record["path"])] = line.number, state
    return records


def _is_torn(line: Line, records: Records) -> bool:
    """Return whether a last line is the start of a record, rather than part of a file that was named by mistake."""
    if line.is_whole:
        return bool(records.lines) and b"\0" in line.content  # as some file systems fill what was not written
    return bool(records.lines) or RECORD_START.startswith(line.content[: len(RECORD_START)])


def _rewrite_without(file: BinaryIO, path: Path, numbers: set[int]) -> io.BufferedRandom:
    file.seek(0)
    with replacing(path) as temporary, temporary.open("wb") as kept:
        kept.writelines(line.content for line in read_lines(file) if line.number not in numbers)
    rewritten = _open_locked(path)
    file.close()
    return rewritten
