"""Noun phrases: the objects that a phrase fits, and the phrases that fit only one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from .records import DrawnObject
from .words import GENERIC


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun with up to three adjectives."""

    noun: str
    size: str | None = None
    pattern: str | None = None
    colour: str | None = None

    @property
    def words(self) -> str:
        """The phrase without an article."""
        return " ".join(word for word in (self.size, self.pattern, self.colour, self.noun) if word)

    @property
    def adjectives(self) -> int:
        """The number of adjectives."""
        return sum(word is not None for word in (self.size, self.pattern, self.colour))

    def fits(self, thing: DrawnObject) -> bool:
        """Whether the phrase is certainly true of an object."""
        return (
            self.noun in (GENERIC, thing.shape)
            and self.size in (None, thing.size)
            and self.pattern in (None, thing.pattern)
            and self.colour in (None, thing.colour)
        )

    def may_fit(self, thing: DrawnObject) -> bool:
        """Whether the phrase may describe an object: a medium object may be called small or large."""
        if self.size is not None and thing.size == "medium":
            return Phrase(self.noun, None, self.pattern, self.colour).fits(thing)
        return self.fits(thing)


def rivals(phrase: Phrase, target: int, things: Sequence[DrawnObject]) -> list[int]:
    """The other objects that the phrase may describe."""
    return [place for place, thing in enumerate(things) if place != target and phrase.may_fit(thing)]


def phrases(target: int, things: Sequence[DrawnObject]) -> list[Phrase]:
    """All natural phrases that are true of an object."""
    thing = things[target]
    sizes = (None,) if thing.size == "medium" else (None, thing.size)
    found = []
    for noun, size, pattern, colour in product(
        (thing.shape, GENERIC), sizes, (None, thing.pattern), (None, thing.colour)
    ):
        if noun == GENERIC and size:
            continue  # a large star can be smaller than a small square
        if pattern == "plain" and all(
            other.pattern == "plain" for other in things if Phrase(noun, size, None, colour).fits(other)
        ):
            continue  # nobody says "plain" where nothing is patterned
        found.append(Phrase(noun, size, pattern, colour))
    return found


def unique(target: int, things: Sequence[DrawnObject]) -> list[Phrase]:
    """The phrases that describe no other object."""
    return [phrase for phrase in phrases(target, things) if not rivals(phrase, target, things)]
