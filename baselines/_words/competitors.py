"""Words that compete with an expression in a softmax: names of other things that an image may show.

A softmax over the expression alone is always 1, so a method needs such a list, and the list is part of its protocol.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from risbench import UsageError
from risbench.datasets.shapes.words import SHAPES

# CLIP-ES's list for PASCAL VOC. For COCO two words are left out, because they are classes or parts of classes.
VOC = (
    "ground", "land", "grass", "tree", "building", "wall", "sky", "lake", "water", "river", "sea", "railway",
    "railroad", "keyboard", "helmet", "cloud", "house", "mountain", "ocean", "road", "rock", "street", "valley",
    "bridge", "sign",
)  # fmt: skip
COCO = tuple(word for word in VOC if word not in ("keyboard", "sign"))
LISTS = {"voc": VOC, "coco": COCO, "shapes": SHAPES}
_ARTICLE = re.compile(r"^(?:a|an|the)\s+")


class Background(NamedTuple):
    """A list of words.

    Attributes:
        name: name of a known list, or ``own``.
        words: the list.
    """

    name: str
    words: tuple[str, ...]

    def against(self, expression: str) -> tuple[str, ...]:
        """The words that may compete with an expression.

        A word that equals the expression, apart from case, blanks and an article, is left out. So is every drawn shape
        that the expression names: "the star left of the square" also mentions the square.
        """
        own = plain(expression)
        named = set(re.findall(r"\w+", own)) if self.name == "shapes" else set()
        return tuple(word for word in self.words if plain(word) != own and plain(word) not in named)


def background_of(text: str) -> Background:
    """A known list by its name, or a new list of words separated by commas.

    Raises:
        UsageError: there is no word.
    """
    if text in LISTS:
        return Background(text, LISTS[text])
    words = tuple(dict.fromkeys(word for part in text.split(",") if (word := " ".join(part.split()))))
    if not words:
        raise UsageError(
            f"background={text!r} has no word: a softmax over the expression alone is always 1; "
            f"give {', '.join(LISTS)}, or words separated by commas"
        )
    return Background("own", words)


def plain(text: str) -> str:
    """A text in lower case, with single blanks and without a leading article."""
    return _ARTICLE.sub("", " ".join(text.casefold().split()))
