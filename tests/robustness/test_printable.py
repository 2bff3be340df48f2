"""Text from outside that could pass for output of a program."""

from __future__ import annotations

import os
import pickle
import re
import sys
import unicodedata

import pytest

from pneumo_infer import ImageError
from pneumo_infer.errors import MissingExtraError
from pneumo_infer.printable import printable


@pytest.mark.parametrize("name", ["film.png", "C:\\films\\ä.png", "胸部.png", "грудь.png", "'quoted' [bold].png", ""])
def test_text_that_prints_is_unchanged(name: str) -> None:
    assert printable(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nNORMAL", "a\\nNORMAL"),
        ("a\r\x1b[2K", "a\\r\\x1b[2K"),
        ("\u202egnp.a", "\\u202egnp.a"),
        (os.fsdecode(b"a\xff"), "a\\udcff"),
        ("a\u2028b\u00a0c\x85\x7f", "a\\u2028b\\xa0c\\x85\\x7f"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_other_text_is_escaped(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_every_character_can_be_printed_and_read_back() -> None:
    for code in (*range(0x3000), *range(0x3000, sys.maxunicode, 97)):
        shown = printable(chr(code))
        if shown == chr(code):
            assert unicodedata.category(shown) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else:
            escaped = re.fullmatch(r"\\(?:[tnr]|x..|u....|U........)", shown)
            assert escaped is not None
            assert shown.encode().decode("unicode_escape") == chr(code)


def test_messages_of_errors_print() -> None:
    error = ImageError("\x1b[31m\nNORMAL.png", "cannot be read (\r)", "check the path")
    assert str(error) == "\\x1b[31m\\nNORMAL.png: cannot be read (\\r); check the path"
    assert error.subject == "\x1b[31m\nNORMAL.png"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert str(MissingExtraError("ray", "ray")).startswith("ray: is not installed")
