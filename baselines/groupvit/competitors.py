"""The words that compete with an expression for the groups of an image. They are part of the protocol and recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from risbench import UsageError

from .._words.classes import mentioned, names

LISTS = ("coco", "voc", "shapes")
SIBLINGS = "siblings"


@dataclass(frozen=True, slots=True)
class Competitors:
    """The parsed value of ``--set competitors=…``.

    Attributes:
        words: distinct words in the given order; lists are replaced by their words.
        lists: names of the given lists.
        siblings: whether the expressions about other objects of the image compete too.
    """

    words: tuple[str, ...]
    lists: tuple[str, ...]
    siblings: bool

    def against(self, text: str) -> list[str]:
        """The words that compete with a text: all that it does not name itself, as a class of a list or literally."""
        own = {name for one in self.lists for name in mentioned(text, one)}  # pyright: ignore[reportArgumentType]
        return [word for word in self.words if word not in own and not _contains(text, word)]


def parsed(given: str) -> Competitors:
    """Parse names of lists, ``siblings`` and free words, separated by commas.

    Raises:
        UsageError: the text is empty.
    """
    items = [item.strip() for item in given.split(",") if item.strip()]
    words: list[str] = []
    for item in items:
        if item != SIBLINGS:
            words += names(item) if item in LISTS else [item]  # pyright: ignore[reportArgumentType]
    if not items:
        raise UsageError(f"competitors is empty: give {', '.join(LISTS)}, {SIBLINGS} or words, separated by commas")
    lists = tuple(dict.fromkeys(item for item in items if item in LISTS))
    return Competitors(tuple(dict.fromkeys(words)), lists, SIBLINGS in items)


def _contains(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(word.lower())}(?!\w)", text.lower()))
