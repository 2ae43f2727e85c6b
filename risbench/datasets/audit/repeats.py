"""Count expressions of one split that also occur in another: equal or nearly equal, about the same image or any image.

Nearly equal texts (see `text_match`) are searched only for images in both splits: other images are not relevant, and
120,000 against 10,000 expressions would be more than a billion pairs. Equal texts are searched everywhere; short ones
("left man") recur by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..annotations.columns import Ident
from ..split import Split
from .text_match import are_near, bag_of, normalised


class Repeats(NamedTuple):
    """The number of the tested split's expressions that the other split has.

    Attributes:
        of: number of its expressions.
        shown: expressions about images that both splits have.
        equal: expressions with an equal text for the same image in the other split.
        near: other expressions with a nearly equal text for the same image in the other split.
        equal_object, near_object: those of them about the same object; None if objects are numbered differently.
        anywhere: expressions with an equal text for any image in the other split.

    The last five are None if only images were compared.
    """

    of: int
    shown: int
    equal: int | None = None
    near: int | None = None
    equal_object: int | None = None
    near_object: int | None = None
    anywhere: int | None = None


class _Contents:
    """The texts of one image: the objects of each text and of each bag of words."""

    def __init__(self) -> None:
        self.texts: dict[str, set[Ident | None]] = {}
        self.bags: dict[tuple[str, ...], set[Ident | None]] = {}


def repeats_of(
    trained_on: Split,
    tested: Split,
    images: set[Ident],
    same_objects: bool,
    progress: Callable[[int, int], object] | None = None,
) -> Repeats:
    """Count the repeated expressions.

    Args:
        trained_on: the training split.
        tested: the test split.
        images: the ids of images in both; empty if they use different image collections.
        same_objects: whether the two number objects in the same way.
        progress: called with ``(expressions done, expressions)`` of the tested split.
    """
    about: dict[Ident, _Contents] = {}
    everywhere: set[str] = set()
    for image, thing, words in _texts_of(trained_on):
        everywhere.add(words)
        if image in images:
            here = about.setdefault(image, _Contents())
            here.texts.setdefault(words, set()).add(thing)
            here.bags.setdefault(bag_of(words), set()).add(thing)
    shown = equal = near = equal_object = near_object = anywhere = 0
    for done, (image, thing, words) in enumerate(_texts_of(tested), 1):
        anywhere += words in everywhere
        if image in images:
            shown += 1
            here = about.get(image) or _Contents()
            if (things := here.texts.get(words)) is not None:
                equal += 1
                equal_object += thing is not None and thing in things
            else:
                bag = bag_of(words)
                alike = [things for other, things in here.bags.items() if are_near(bag, other)]
                near += bool(alike)
                near_object += thing is not None and any(thing in things for things in alike)
        if progress and done % 256 == 0:
            progress(done, len(tested))
    objects = (equal_object, near_object) if same_objects else (None, None)
    return Repeats(len(tested), shown, equal, near, *objects, anywhere)


def shown_in(split: Split, images: set[Ident]) -> int:
    """The number of a split's expressions about some images."""
    return sum(image in images for image in split.table.image_id.listed(split.sample_images))


def _texts_of(split: Split) -> list[tuple[Ident, Ident | None, str]]:
    """Each sample's image, object (None without one) and words."""
    table, anns = split.table, split.sample_anns
    images = table.image_id.listed(split.sample_images)
    things: list[Ident | None] = list(table.ann_id.listed(np.maximum(anns, 0))) if len(table.ann_id) else []
    things = [thing if ann >= 0 else None for thing, ann in zip(things or [None] * len(anns), anns, strict=True)]
    return list(zip(images, things, map(normalised, table.sent_text.listed(split.rows)), strict=True))
