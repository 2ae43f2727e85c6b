"""The words that compete with an expression for the groups of an image: part of the protocol, so recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from risbench import UsageError

from .._words.classes import mentioned, names

LISTS = ("coco", "voc", "shapes")
SIBLINGS = "siblings"


@dataclass(frozen=True, slots=True)
class Competitors:
    """What ``--set competitors=…`` says.

    Attributes:
        words: distinct, in the order given, lists spelled out.
        lists: the lists among them, by name.
        siblings: whether the expressions about other objects of the image compete too.
    """

    words: tuple[str, ...]
    lists: tuple[str, ...]
    siblings: bool

    def against(self, text: str) -> list[str]:
        """The words that compete with a text: not those that it names itself, as a class of a list or word by word."""
        own = {name for one in self.lists for name in mentioned(text, one)}  # pyright: ignore[reportArgumentType]
        return [word for word in self.words if word not in own and not _says(text, word)]


def parsed(given: str) -> Competitors:
    """Names of lists, ``siblings`` and free words, separated by commas.

    Raises:
        UsageError: nothing is left.
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


def _says(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(word.lower())}(?!\w)", text.lower()))
