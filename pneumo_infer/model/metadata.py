"""Read values of a model's metadata strictly: each has the type and range of the contract, or the error names it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from pneumo_infer.errors import ModelError, excerpt
from pneumo_infer.model.info import EXPORT_AGAIN

MAX_TEXT = 2_000  # characters of a name or a sentence
MAX_NESTING = 12  # the metrics of an exported model have 5


class Entry:
    """A value of the metadata, with its place for error messages, such as `pneumo.operating_points.balanced`.

    Parameters
    ----------
    file
        Name of the model file.
    """

    def __init__(self, file: str, place: str, value: Any) -> None:
        self._file = file
        self._place = place
        self._value = value

    @classmethod
    def parse(cls, file: str, place: str, text: str) -> Entry:
        """Parse JSON, in which all numbers must be finite and all strings printable.

        Raises
        ------
        ModelError
            The text is not such JSON, has a name twice in an object, or is nested too deeply.
        """
        unparsed = cls(file, place, text)
        try:
            entry = cls(file, place, json.loads(text, object_pairs_hook=_unique))
        except RecursionError:
            unparsed.refuse("is nested too deeply")
        except ValueError as error:
            unparsed.refuse(f"is not valid JSON ({excerpt(str(error))})")
        entry.check(MAX_NESTING)
        return entry

    def __getitem__(self, key: str) -> Entry:
        entries = self.members()
        if key not in entries:
            self.refuse(f"has no {key}")
        return entries[key]

    def check(self, nesting: int) -> None:
        """Check all numbers and strings in a value, and its depth."""
        if isinstance(self._value, str):
            self.text()
        elif isinstance(self._value, (int, float)) and not isinstance(self._value, bool):
            self.number()
        elif isinstance(self._value, (dict, list)):
            if not nesting:
                self.refuse("is nested too deeply")
            for entry in self._entries():
                entry.check(nesting - 1)

    def members(self) -> dict[str, Entry]:
        """Return the values of an object by name."""
        if not isinstance(self._value, dict):
            self._expected("an object")
        return dict(zip(self._value, self._entries(), strict=True))

    def elements(self) -> list[Entry]:
        """Return the values of a list."""
        if not isinstance(self._value, list):
            self._expected("a list")
        return [*self._entries()]

    def number(self, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a finite number from `low` to `high`. Unlike Python, `true` is not a number here."""
        if isinstance(self._value, bool) or not isinstance(self._value, (int, float)):
            self._expected("a number")
        try:
            number = float(self._value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self._expected("a finite number")
        if not low <= number <= high:
            self._expected(f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}")
        return number

    def pair(self, low: float, high: float) -> tuple[float, float]:
        """Return a list of two numbers from `low` to `high` in ascending order."""
        numbers = [entry.number(low, high) for entry in self.elements()]
        if len(numbers) != 2 or numbers[0] > numbers[1]:
            self._expected("two numbers in ascending order")
        return numbers[0], numbers[1]

    def text(self) -> str:
        """Return a string without control characters."""
        if not isinstance(self._value, str):
            self._expected("a string")
        if not self._value.isprintable() or len(self._value) > MAX_TEXT:
            self._expected(f"at most {MAX_TEXT:,} printable characters")
        return self._value

    def refuse(self, problem: str) -> NoReturn:
        """Raise a ModelError about this value."""
        raise ModelError(self._file, f"{self._place} {problem}", EXPORT_AGAIN)

    def _expected(self, kind: str) -> NoReturn:
        self.refuse(f"is {excerpt(repr(self._value), limit=60)}, expected {kind}")

    def _entries(self) -> Iterator[Entry]:
        named = self._value.items() if isinstance(self._value, dict) else enumerate(self._value)
        for name, value in named:
            if isinstance(name, str) and (not name.isprintable() or len(name) > MAX_TEXT):
                self.refuse(f"has the name {excerpt(repr(name), limit=60)}, expected printable characters")
            yield Entry(self._file, f"{self._place}.{name}", value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name appears twice in an object")
    return values
