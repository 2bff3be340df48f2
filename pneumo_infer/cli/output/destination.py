"""Choose where records go: standard output, a new file, or a file to resume."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from pneumo_infer.cli.output.records import Format
from pneumo_infer.cli.streams import open_standard_output
from pneumo_infer.errors import PneumoError
from pneumo_infer.files.atomic_write import atomic_write, is_device_or_pipe


@dataclass(slots=True)
class Destination:
    """Where and in which format to write records. With neither file they go to standard output.

    Attributes
    ----------
    form
        The output format.
    output
        A file that appears under its name only once it is complete. A device or pipe is written to.
    resume
        A JSON lines file to append to, see `ResumedFile`.
    part
        Where the records of CSV and JSON lines are until `output` is complete: `FILE.part`, or a similar name if there
        is such a file. It is kept after an interrupt.
    """

    form: Format
    output: Path | None
    resume: Path | None
    part: Path | None = field(default=None, init=False)

    def require_none_of(self, inputs: Iterable[object]) -> None:
        """Check, before anything is read, that the file is none of the inputs, and no folder.

        Parameters
        ----------
        inputs
            Paths of all files that are read; other objects are ignored.

        Raises
        ------
        PneumoError
            It is one of them, perhaps through a link, or a folder.
        """
        file = self.resume or self.output
        if file is None or not os.path.exists(file) or is_device_or_pipe(file):  # noqa: PTH110  # may not be accessible
            return
        if file.is_dir():
            problem = "cannot be resumed" if self.resume else "cannot be written"
            raise PneumoError(str(file), f"{problem} (Is a directory)", f"choose another {self._option}")
        own = file.stat()
        for path in inputs:
            if isinstance(path, (str, os.PathLike)):
                with suppress(OSError):
                    if os.path.samestat(own, os.stat(path)):  # noqa: PTH116
                        raise PneumoError(
                            str(file),
                            "is one of the files to read, and would be lost",
                            f"choose another {self._option}",
                        )

    @contextmanager
    def open(self) -> Iterator[TextIO]:
        """Open standard output or the output file for writing.

        Raises
        ------
        PneumoError
            It cannot be written.
        BrokenPipeError
            The program that reads standard output has ended.
        """
        if self.output is None:
            with open_standard_output() as out:
                yield out
            return
        try:
            with self._open_file(self.output) as out:
                yield out
        except OSError as error:
            reason = error.strerror or error
            raise PneumoError(
                str(self.output), f"cannot be written ({reason})", f"choose another {self._option}"
            ) from error

    @contextmanager
    def _open_file(self, file: Path) -> Iterator[TextIO]:
        if self.form not in (Format.CSV, Format.JSONL) or is_device_or_pipe(file):
            with atomic_write(file) as out:
                yield out
            return
        target = Path(os.path.realpath(file)) if file.is_symlink() else file
        descriptor, self.part = _create_part(target)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
            yield out
        self.part.replace(target)

    @property
    def _option(self) -> str:
        return "--resume" if self.resume else "--output"

    def after_interrupt(self) -> str:
        """Describe what was written before an interrupt, and how to resume."""
        if self.resume:
            return f"completed records are in {self.resume}; run the same command again to resume"
        if self.part:
            return f"completed records are in {self.part}"
        return "nothing was written" if self.output else "the records printed so far are complete"


def _create_part(target: Path) -> tuple[int, Path]:
    """Create a new file next to `target`, and never open one that is there."""
    part = target.with_name(f"{target.name}.part")
    while True:
        try:
            return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), part
        except FileExistsError:
            part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
