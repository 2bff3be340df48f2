"""The error tree of pneumo-infer.

PneumoError
├── ImageError         (ValueError)    a film cannot be read
├── ModelError         (ValueError)    a model file or a request to the model is invalid
├── DeviceError        (RuntimeError)  the requested device is not available
└── MissingExtraError  (ImportError)   a package of an optional extra is not installed

Each message names the subject (a file, an option), the problem and the remedy. It is one line that can be printed:
characters of file names that do not print are escaped (see `printable`). The attributes of the error are unescaped.
"""

from __future__ import annotations

from pneumo_infer.printable import printable


def excerpt(text: str, limit: int = 200) -> str:
    """Return the first line of a text from a file, at most `limit` characters of it, for use in a message."""
    line = text.partition("\n")[0]
    return line if len(line) <= limit else f"{line[:limit]}..."


class PneumoError(Exception):
    """Base class of all pneumo-infer errors. The message is `SUBJECT: PROBLEM; REMEDY`.

    Parameters
    ----------
    subject
        What the error is about, such as a file, an option or a device.
    problem
        What is wrong.
    remedy
        What the user can do about it.

    Attributes
    ----------
    exit_code
        With which a command ends because of the error.
    """

    exit_code = 2

    def __init__(self, subject: str, problem: str, remedy: str) -> None:
        super().__init__(subject, problem, remedy)
        self.subject = subject
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return printable(f"{self.subject}: {self.problem}; {self.remedy}")


class ImageError(PneumoError, ValueError):
    """A film is missing, damaged, too large, or not in a supported format."""


class ModelError(PneumoError, ValueError):
    """A model file breaks the contract, was altered, or lacks the requested operating point."""


class DeviceError(PneumoError, RuntimeError):
    """The requested device cannot run the model."""


class MissingExtraError(PneumoError, ImportError):
    """A package that belongs to an optional extra is not installed."""

    def __init__(self, missing: str, extra: str) -> None:
        super().__init__(missing, "is not installed", f"pip install 'pneumo-infer[{extra}]'")
        # Unpickling calls the constructor with args.
        self.args = (missing, extra)
