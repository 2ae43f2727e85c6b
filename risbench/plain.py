"""Other people's text made fit to print: one line, nothing invisible, not too long."""

from __future__ import annotations

import unicodedata


def plain(text: str, limit: int | None = None) -> str:
    """The text on one line without control and direction characters, cut to a number of characters.

    Direction overrides could turn the numbers beside them round; those of the page belong to the page.
    """
    kept = "".join(" " if character.isspace() else character for character in str(text))
    kept = "".join(character for character in kept if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co"))
    kept = " ".join(kept.split())
    return kept if limit is None or len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def is_right_to_left(text: str) -> bool:
    """Whether any character is written from right to left."""
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
