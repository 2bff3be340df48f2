"""Where records go: standard output, a file that is whole or absent, or one that an earlier command began."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pneumo_infer.atomic_write import atomic_write
from pneumo_infer.cli.records import Format
from pneumo_infer.errors import PneumoError


@dataclass(frozen=True, slots=True)
class Destination:
    """Where records go, and in which form.

    Attributes
    ----------
    output
        A file that takes its name once it is whole; until then CSV and JSON lines stand in `FILE.part`, which is kept
        if they are interrupted.
    resume
        A file of JSON lines to append to.
    """

    form: Format
    output: Path | None
    resume: Path | None

    @property
    def part(self) -> Path | None:
        """Where whole records are kept if the command is interrupted."""
        if self.output is None or self.form not in (Format.CSV, Format.JSONL):
            return None
        return self.output.with_name(f"{self.output.name}.part")

    @contextmanager
    def open(self) -> Iterator[TextIO]:
        """Open it for writing.

        Raises
        ------
        PneumoError
            It cannot be written.
        """
        file = self.resume or self.output
        if file is None:
            yield sys.stdout
            return
        try:
            with self._open_file(file) as out:
                yield out
        except OSError as error:
            option = "--resume" if self.resume else "--output"
            raise PneumoError(str(file), f"cannot be written ({error.strerror})", f"name another {option}") from error

    @contextmanager
    def _open_file(self, file: Path) -> Iterator[TextIO]:
        if self.resume:
            with file.open("a", encoding="utf-8", newline="") as out:
                yield out
        elif self.part:
            with self.part.open("w", encoding="utf-8", newline="") as out:
                yield out
            self.part.replace(file)
        else:
            with atomic_write(file) as out:
                yield out

    def what_is_left(self) -> str:
        """Say after an interrupt what was written, and how to go on."""
        if self.resume:
            return f"{self.resume} has whole records; the same command goes on from there"
        if self.part and self.part.exists():
            return f"the records so far are in {self.part}"
        return "nothing was written" if self.output else "the records so far are whole"
