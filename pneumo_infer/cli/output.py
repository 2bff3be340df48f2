"""Choose where records go: standard output, a new file, or a file to resume."""

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
    """Where and in which format to write records. With neither file they go to standard output.

    Attributes
    ----------
    form
        The output format.
    output
        A file that appears under its name only once it is complete. Until then CSV and JSON lines go to `FILE.part`,
        which is kept after an interrupt.
    resume
        A JSON lines file to append to.
    """

    form: Format
    output: Path | None
    resume: Path | None

    @property
    def part(self) -> Path | None:
        """The file that keeps complete records after an interrupt; None if there is none."""
        if self.output is None or self.form not in (Format.CSV, Format.JSONL):
            return None
        return self.output.with_name(f"{self.output.name}.part")

    @contextmanager
    def open(self) -> Iterator[TextIO]:
        """Open the destination for writing.

        Raises
        ------
        PneumoError
            The file cannot be written.
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
            raise PneumoError(str(file), f"cannot be written ({error.strerror})", f"choose another {option}") from error

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

    def after_interrupt(self) -> str:
        """Describe what was written before an interrupt, and how to resume."""
        if self.resume:
            return f"completed records are in {self.resume}; run the same command again to resume"
        if self.part and self.part.exists():
            return f"completed records are in {self.part}"
        return "nothing was written" if self.output else "the records printed so far are complete"
