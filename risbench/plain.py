"""Other people's text made fit to print: nothing that a terminal obeys, nothing invisible, not too long.

A stranger's header, card, annotation or file name may hold escape sequences that move the cursor, and characters that
turn the direction of writing round. Tables and pictures take `plain` text. Messages quote a text as `visible` codes,
because a file name must stay what it is. What goes to a terminal otherwise is `without_controls`.
"""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"  # part of the spelling of Persian and Indic words, and of emoji
# The control characters of ASCII and Latin-1, line separators, and what is invisible or turns the direction round.
# Direction isolates are left: they end where they began.
_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u2064\\ufeff]")


def plain(text: str, limit: int | None = None) -> str:
    """The text on one line without control and direction characters, cut to a number of characters.

    Direction overrides could turn the numbers beside them round; those of the page belong to the page.
    """
    kept = "".join(" " if character.isspace() else character for character in str(text))
    kept = "".join(character for character in kept if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co"))
    kept = " ".join(kept.split())
    return kept if limit is None or len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def counted(count: int, one: str, several: str | None = None) -> str:
    """A number with its noun: ``1 image``, ``2 images``; ``1 object has``, ``2 objects have`` where both are given."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def visible(text: str) -> str:
    """The text on one line, with control and direction characters written as their codes, e.g. ``\\x1b``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_code(character) for character in " ".join(text.splitlines()))


def without_controls(text: str, kept: str = "\n\t") -> str:
    """The text without characters that a terminal would obey, but for those in ``kept``."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub(lambda match: match[0] if match[0] in kept else "", text)


def in_json(text: str) -> str:
    """JSON with the characters that a terminal would obey written by their numbers, which changes no value."""
    return _CONTROLS.sub(lambda match: match[0] if match[0] in "\n\t\r" else f"\\u{ord(match[0]):04x}", text)


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
