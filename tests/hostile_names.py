"""Sixty names that a film on Linux can have, and that programs have stumbled over."""

from __future__ import annotations

import os

ROW = "NORMAL                        NORMAL          0.0123  patient7"
HOSTILE_NAMES = [
    # The shell, options and patterns.
    "-.png",
    "--json.png",
    "-rf.png",
    "--output=films.png",
    "*.png",
    "?.png",
    "[a-z].png",
    "[!a].png",
    "**.png",
    "~.png",
    "$HOME.png",
    "$(reboot).png",
    "`reboot`.png",
    "a;reboot.png",
    "a|b&c>d<e.png",
    "a'b.png",
    'a"b.png',
    "a\\b.png",
    "%s%n%d.png",
    "{0}{a}.png",
    # Blanks and dots.
    " leading.png",
    "trailing .png",
    "two  blanks.png",
    "no\u00a0break.png",
    "wide\u3000blank.png",
    "a.png..png",
    "a..b.png",
    "#comment.png",
    # Control characters and escape sequences.
    "tab\t.png",
    "line\nbreak.png",
    f"line\n{ROW}.png",
    "carriage\rreturn.png",
    f"carriage\r{ROW}.png",
    "both\r\nof them.png",
    "\x1b[31mred.png",
    "\x1b[2J\x1b[Hcleared.png",
    "\x1b]0;title\x07.png",
    "\x1b]8;;mailto:a\x1b\\link.png",
    "\x08\x08\x08back.png",
    "\x7fdelete.png",
    "\x9bC1.png",
    "form\x0cfeed\x0b.png",
    # Unicode: direction, invisible characters, normalisation, separators.
    "\u202egnp.txt.png",
    "\u2066isolated\u2069.png",
    "zero\u200bwidth.png",
    "\ufeffmark.png",
    "line\u2028paragraph\u2029.png",
    "combined e\u0301.png",
    "composed \u00e9.png",
    "\u80f8\u90e8 \U0001fac1.png",
    # Bytes that are not UTF-8.
    os.fsdecode(b"latin1-\xe9.png"),
    os.fsdecode(b"\xff\xfe.png"),
    os.fsdecode(b"cut \xf0\x9f\xab.png"),
    os.fsdecode(b"surrogate \xed\xa0\x80.png"),
    # Spreadsheets, CSV and markup.
    "=1+1.png",
    "@SUM(A1).png",
    '+a,"b";c.png',
    "'=quoted.png",
    "[b]bold[@click=a] <b>&amp;.png",
    # The longest name of all.
    "n" * 251 + ".png",
]
