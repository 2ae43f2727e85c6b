"""Make other people's text safe to print: without control and invisible characters, and not too long.

A header, card, annotation or file name from somebody else may contain escape sequences that move the cursor, and
characters that reverse the direction of writing. Tables and pictures use `plain`. Messages use `visible`, which writes
such characters as codes, because a file name must stay recognisable. Other output uses `without_controls`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

_JOINERS = "\u200c\u200d"  # part of the spelling of Persian and Indic words, and of emoji
# The control characters of ASCII and Latin-1, line separators, and characters that are invisible or change the
# direction of writing. Direction isolates are allowed, because their effect ends with the text.
_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u2064\\ufeff]")


def plain(text: str, limit: int | None = None) -> str:
    """The text on one line without control and direction characters, cut to a number of characters.

    Direction overrides are removed, because they could reverse numbers that are printed next to the text.
    """
    kept = "".join(" " if character.isspace() else character for character in str(text))
    kept = "".join(character for character in kept if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co"))
    kept = " ".join(kept.split())
    return kept if limit is None or len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def counted(count: int, one: str, several: str | None = None) -> str:
    """A number with its noun: ``1 image``, ``2 images``; with two forms, ``1 object has``, ``2 objects have``."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def visible(text: str) -> str:
    """The text on one line, with control and direction characters written as their codes, e.g. ``\\x1b``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_code(character) for character in " ".join(text.splitlines()))


def without_controls(text: str, kept: str = "\n\t") -> str:
    """The text without terminal control characters, except those in ``kept``."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub(lambda match: match[0] if match[0] in kept else "", text)


def in_json(text: str) -> str:
    """JSON with terminal control characters written as escapes, which changes no value."""
    return _CONTROLS.sub(lambda match: match[0] if match[0] in "\n\t\r" else f"\\u{ord(match[0]):04x}", text)


def in_html(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str]) -> str:
    """A small table for a notebook: everything is escaped, nothing is loaded, and the page's own colours are used."""

    def escaped(text: str) -> str:
        return html.escape(plain(text, 2000))

    def line(kind: str, cells: Sequence[str]) -> str:
        inside = (f'<{kind} style="text-align:left">{escaped(cell)}</{kind}>' for cell in cells)
        return "".join(["<tr>", *inside, "</tr>"])

    table = "".join(["<table>", line("th", head), *(line("td", row) for row in rows), "</table>"])
    below = "".join(f"<div><small>{escaped(note)}</small></div>" for note in notes)
    return f"<div><b>{escaped(title)}</b>{table}{below}</div>"


def is_right_to_left(text: str) -> bool:
    """Whether any character is written from right to left."""
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


def _code(character: str) -> str:
    if character == "\t":
        return " "
    if unicodedata.category(character) not in ("Cc", "Cf") or character in _JOINERS:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
