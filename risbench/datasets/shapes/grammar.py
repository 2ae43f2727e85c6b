"""The sentences about a target: one of each form that can be true of only this object."""

from __future__ import annotations

from collections.abc import Sequence

from .nouns import Phrase, phrases, rivals
from .positions import positions
from .prng import Dice
from .records import DrawnObject, Expression
from .relations import TEXTS, links, singles_out
from .spans import reach, visible_reach
from .words import GENERIC

FORMS = ("attribute", "position", "relation", "combined")
_FEWEST = 3  # forms a target must have
_HARD = 65  # per cent: how often an ambiguous sentence is preferred to the others
_VAGUE = 10  # per cent: how often "shape" may stand for the class


def express(
    dice: Dice,
    target: int,
    things: Sequence[DrawnObject],
    names: Sequence[Sequence[Phrase]],
    size: tuple[int, int],
) -> tuple[Expression, ...] | None:
    """Sentences of different forms that are true of only one object; None if there are fewer than three.

    Args:
        dice: the random generator.
        target: the index of the object.
        things: all objects of the image.
        names: for each object the phrases that describe no other object.
        size: height and width of the image.
    """
    held = [
        (anchor, link)
        for anchor, thing in enumerate(things)
        if anchor != target and any(name.noun != GENERIC for name in names[anchor])
        for link in links(things[target], thing)
    ]
    mine = phrases(target, things)
    bare = [phrase for phrase in mine if phrase.adjectives == 0]
    described = dice.shuffled([phrase for phrase in mine if phrase.adjectives])[:4]
    placed = [option for phrase in bare for option in _placed(phrase, target, things, size)]
    related = [option for phrase in bare for option in _related(dice, phrase, target, things, held, names)]
    combined = [
        option
        for phrase in described
        for option in _placed(phrase, target, things, size) + _related(dice, phrase, target, things, held, names)
    ]
    options = {
        "attribute": _attributes(dice, target, things, names[target]),
        "position": placed,
        "relation": related,
        "combined": combined,
    }
    if sum(bool(some) for some in options.values()) < _FEWEST:
        return None
    return tuple(
        Expression(_article(dice) + text, form, ambiguous)
        for form in dice.shuffled(FORMS)
        if options[form]
        for text, ambiguous in [_choose(dice, options[form])]
    )


def best_phrase(dice: Dice, options: Sequence[Phrase]) -> Phrase:
    """Choose a short, natural phrase: it rarely has more adjectives than necessary."""
    fewest = min(phrase.adjectives for phrase in options)
    longest = fewest + (1 if dice.chance(25) else 0)
    return dice.pick([phrase for phrase in options if phrase.adjectives <= longest])


def _article(dice: Dice) -> str:
    return "the " if dice.chance(65) else ""


def _choose(dice: Dice, options: Sequence[tuple[str, bool]]) -> tuple[str, bool]:
    exact = [option for option in options if GENERIC not in option[0].split()]
    if exact and not dice.chance(_VAGUE):
        options = exact
    hard = [option for option in options if option[1]]
    return dice.pick(hard if hard and dice.chance(_HARD) else options)


def _is_ambiguous(phrase: Phrase, target: int, things: Sequence[DrawnObject]) -> bool:
    return any(place != target and phrase.fits(thing) for place, thing in enumerate(things))


def _attributes(
    dice: Dice, target: int, things: Sequence[DrawnObject], names: Sequence[Phrase]
) -> list[tuple[str, bool]]:
    options = [phrase for phrase in names if phrase.adjectives]
    found = []
    for noun in (things[target].shape, GENERIC):
        if some := [phrase for phrase in options if phrase.noun == noun]:
            found.append((best_phrase(dice, some).words, _is_ambiguous(Phrase(noun), target, things)))
        others = [things[place] for place in rivals(Phrase(noun), target, things)]
        if others and all(_much_larger(things[target], other) for other in others):
            found.append((f"largest {noun}", True))
        if others and all(_much_larger(other, things[target]) for other in others):
            found.append((f"smallest {noun}", True))
    return found


def _much_larger(first: DrawnObject, second: DrawnObject) -> bool:
    # By extent and by area, complete and visible: a wide thin star next to a compact square is not clearly "largest".
    return (
        100 * reach(first) >= 122 * reach(second)
        and 100 * visible_reach(first) >= 115 * visible_reach(second)
        and 100 * first.area >= 135 * second.area
    )


def _placed(
    phrase: Phrase, target: int, things: Sequence[DrawnObject], size: tuple[int, int]
) -> list[tuple[str, bool]]:
    others = [things[place] for place in rivals(phrase, target, things)]
    ambiguous = _is_ambiguous(phrase, target, things)
    templates = positions(things[target], others, size, all(phrase.fits(other) for other in others))
    ends = ("leftmost", "rightmost", "highest", "lowest", "second")
    return [
        (template.format(phrase.words), ambiguous)
        for template in templates
        # "left small star" is not natural; "leftmost small star" is.
        if phrase.adjectives == 0 or template.startswith(("{}", *ends))
    ]


def _related(
    dice: Dice,
    phrase: Phrase,
    target: int,
    things: Sequence[DrawnObject],
    held: Sequence[tuple[int, str]],
    names: Sequence[Sequence[Phrase]],
) -> list[tuple[str, bool]]:
    ambiguous = _is_ambiguous(phrase, target, things)
    others = rivals(phrase, target, things)
    found = []
    for anchor, link in held:
        rest = [things[place] for place in others if place != anchor]
        if singles_out(link, things[target], rest, things[anchor]):
            name = best_phrase(dice, [name for name in names[anchor] if name.noun != GENERIC])
            text = dice.pick(TEXTS.get(link, (link,)))
            found.append((f"{phrase.words} {text} the {name.words}", ambiguous))
    return found
