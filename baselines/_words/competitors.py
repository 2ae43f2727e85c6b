"""Words that compete with an expression in a softmax: other things that an image may show.

A softmax over the expression alone is 1 whatever the image shows, so the list is part of a method's protocol.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from risbench import UsageError
from risbench.datasets.shapes.words import SHAPES

# CLIP-ES's for PASCAL VOC; for COCO, where two of them are classes or parts of such, without those.
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
        name: of a known list, or ``own``.
        words: the list.
    """

    name: str
    words: tuple[str, ...]

    def against(self, expression: str) -> tuple[str, ...]:
        """The words that may stand against an expression.

        One that is the expression itself (but for case, blanks and an article) says nothing against it. Of the drawn
        shapes none that the expression names: "the star left of the square" is also about the square.
        """
        own = plain(expression)
        named = set(re.findall(r"\w+", own)) if self.name == "shapes" else set()
        return tuple(word for word in self.words if plain(word) != own and plain(word) not in named)


def background_of(text: str) -> Background:
    """A list by its name, or words with commas between them.

    Raises:
        UsageError: no word at all.
    """
    if text in LISTS:
        return Background(text, LISTS[text])
    words = tuple(dict.fromkeys(word for part in text.split(",") if (word := " ".join(part.split()))))
    if not words:
        raise UsageError(
            f"background={text!r} has no word: a softmax over the expression alone is always 1; "
            f"give {', '.join(LISTS)}, or words with commas between them"
        )
    return Background("own", words)


def plain(text: str) -> str:
    """A text without what does not change its meaning here: case, blanks, an article at its start."""
    return _ARTICLE.sub("", " ".join(text.casefold().split()))
