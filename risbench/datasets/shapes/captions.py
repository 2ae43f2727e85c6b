"""Captions of whole images, for methods that learn from captions."""

from __future__ import annotations

from collections.abc import Sequence

from .nouns import Phrase
from .prng import Dice
from .records import DrawnObject
from .relations import TEXTS, links
from .spans import middles

_LISTED = 3  # more objects than this are too much for one sentence


def named(dice: Dice, thing: DrawnObject) -> str:
    """A phrase for an object, with an article and some of its attributes."""
    phrase = Phrase(
        thing.shape,
        thing.size if thing.size != "medium" and dice.chance(40) else None,
        thing.pattern if thing.pattern != "plain" and dice.chance(60) else None,
        thing.colour if dice.chance(85) else None,
    ).words
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def spot(thing: DrawnObject, size: tuple[int, int]) -> str | None:
    """The position of an object in the image; None if it is not clear."""
    found = []
    for axis, (low, high) in ((0, ("on the left", "on the right")), (1, ("at the top", "at the bottom"))):
        length = size[1 - axis]
        nearest, *_, farthest = sorted(middles(thing, axis))
        if 100 * farthest <= 2 * 36 * length:
            found.append((farthest * 1000 // length, low))
        if 100 * (2 * length - nearest) <= 2 * 36 * length:
            found.append(((2 * length - nearest) * 1000 // length, high))
    return min(found)[1] if found else None  # the side it is nearest to


def captions(dice: Dice, things: Sequence[DrawnObject], size: tuple[int, int]) -> tuple[str, ...]:
    """Two to four true sentences about an image.

    Args:
        dice: the random generator.
        things: the objects.
        size: height and width of the image.
    """
    order = dice.shuffled(things)
    names = [named(dice, thing) for thing in order[:_LISTED]]
    found = [_joined(names)]
    for thing in order:
        if where := spot(thing, size):
            found.append(f"{named(dice, thing)} {where}")
            break
    for first, second in ((a, b) for a in order for b in order if a is not b):
        held = [link for link in links(first, second) if link != "closest to"]
        if held:
            link = dice.pick(held)
            found.append(f"{named(dice, first)} {dice.pick(TEXTS.get(link, (link,)))} {named(dice, second)}")
            break
    if len(things) > _LISTED:
        found.append(_joined([named(dice, thing) for thing in order[-_LISTED:]]))
    return tuple(found)


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
