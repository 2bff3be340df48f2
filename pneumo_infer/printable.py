"""Text from outside, such as file names and metadata, for terminals, logs and reports."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Escape all characters that do not print, such as `\n`, `\x1b` and `\u202e`, as Python string literals do.

    Escape sequences that control a terminal, line breaks and marks that reverse the direction of text could make a file
    name look like output of the program. Surrogates, which stand for bytes that are not valid UTF-8 (PEP 383), cannot
    be encoded. Letters of all scripts are unchanged.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
