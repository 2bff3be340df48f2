"""The error tree of pneumo-infer.

PneumoError
├── ImageError         (ValueError)    one film could not be read
├── ModelError         (ValueError)    the model file, or what was asked of it, does not fit
├── DeviceError        (RuntimeError)  the device that was asked for did not come up
└── MissingExtraError  (ImportError)   an optional part of the distribution is not installed

Every error names its subject (the file, the option), says what is wrong with it and what mends it.
"""

from __future__ import annotations


class PneumoError(Exception):
    """Root of every error that pneumo-infer raises on purpose.

    Parameters
    ----------
    subject
        What the error is about: a file, an option, a device.
    problem
        What is wrong with it.
    remedy
        What the reader can do about it.
    """

    def __init__(self, subject: str, problem: str, remedy: str) -> None:
        super().__init__(subject, problem, remedy)
        self.subject = subject
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}; {self.remedy}"


class ImageError(PneumoError, ValueError):
    """A film is missing, damaged, too large, or not a picture at all."""


class ModelError(PneumoError, ValueError):
    """A model file does not follow the contract, or has not what was asked of it."""


class DeviceError(PneumoError, RuntimeError):
    """The device that was asked for cannot run the model."""


class MissingExtraError(PneumoError, ImportError):
    """A command needs a package that belongs to an extra which is not installed."""

    def __init__(self, missing: str, extra: str) -> None:
        super().__init__(missing, "is not installed", f"pip install 'pneumo-infer[{extra}]'")
        # Exceptions are rebuilt from args when they are unpickled in another process.
        self.args = (missing, extra)
