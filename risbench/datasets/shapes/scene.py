"""Draw a scene from a seed: objects, image, sentences and captions."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from ...errors import UsageError
from .captions import captions, named, spot
from .grammar import express
from .layout import Placed, box, crowd, picture_size, place, weight
from .nouns import unique
from .paint import lay
from .prng import Dice
from .records import DrawnObject, Expression, Scene
from .texture import background
from .words import COLOURS, PATTERNS, SHAPES, SIZES

MOST_TARGETS = 3  # of one picture
_LONELY = 90  # per cent: how often an object without another of its class becomes a target


def draw_scene(seed: int) -> Scene:
    """Draw the scene of a seed: 2 to 7 objects, up to three of them with sentences.

    The same seed gives the same scene on every machine. The seeds of the fixed splits are in `SPLITS`; seeds from
    `FREE_SEEDS` on belong to no split.
    """
    size, placed, things, expressions, sentences = compose(seed)
    return Scene(seed, _painted(Dice(seed, 2), size, placed), things, MappingProxyType(expressions), sentences)


def compose(
    seed: int,
) -> tuple[tuple[int, int], list[Placed], tuple[DrawnObject, ...], dict[int, tuple[Expression, ...]], tuple[str, ...]]:
    """All of a scene except its image: size, placed and visible objects, sentences, captions."""
    attempt = 0
    while True:
        dice = Dice(seed, 1, attempt)
        attempt += 1
        size, placed, visible = crowd(dice)
        if len(placed) < 2:
            continue
        things = _visible_objects(placed, visible)
        expressions = _targets(dice, things, size)
        if expressions:
            return size, placed, things, expressions, captions(dice, things, size)


def _visible_objects(placed: list[Placed], visible: np.ndarray) -> tuple[DrawnObject, ...]:
    masks = [visible == depth for depth in range(len(placed))]
    return tuple(
        DrawnObject(one.shape, one.colour, one.size, one.pattern, depth, mask, box(mask), one.whole, *weight(mask))
        for depth, (one, mask) in enumerate(zip(placed, masks, strict=True))
    )


def _targets(dice: Dice, things: tuple[DrawnObject, ...], size: tuple[int, int]) -> dict[int, tuple[Expression, ...]]:
    shapes = [thing.shape for thing in things]
    names = [unique(place, things) for place in range(len(things))]
    order = dice.shuffled(range(len(things)))
    order.sort(key=lambda place: shapes.count(shapes[place]) == 1)  # objects with others of their class go first
    found: dict[int, tuple[Expression, ...]] = {}
    for target in order:
        if len(found) == MOST_TARGETS:
            break
        if shapes.count(shapes[target]) == 1 and not dice.chance(_LONELY):
            continue
        if sentences := express(dice, target, things, names, size):
            found[target] = sentences
    return found


def _painted(dice: Dice, size: tuple[int, int], placed: list[Placed], ground: np.ndarray | None = None) -> np.ndarray:
    picture = background(dice, *size) if ground is None else ground
    for one in placed:
        body, mark = COLOURS[one.colour]
        jitter = [dice.between(-10, 10) for _ in range(3)]
        tones = tuple(tuple(tone + off for tone, off in zip(ink, jitter, strict=True)) for ink in (body, mark))
        lay(picture, one.stamp, one.at, (tones[0], tones[1]), one.pattern, one.turn)
    return picture.astype(np.uint8)


def draw_object(
    seed: int,
    size: tuple[int, int] | None = None,
    *,
    shape: str | None = None,
    colour: str | None = None,
    object_size: str | None = None,
    pattern: str | None = None,
    ground: tuple[int, int, int] | None = None,
) -> Scene:
    """Draw an image of a single object, for training; captions name the object, and its place if that is clear.

    Args:
        seed: decides all values that are not given.
        size: height and width of the image, at least 32 pixels each.
        shape, colour, object_size, pattern: the words for the object's attributes.
        ground: red, green, blue of a plain background, instead of a textured one.

    Raises:
        UsageError: a word is unknown, or the size is too small.
    """
    dice = Dice(seed, 3)
    height, width = size or picture_size(dice)
    if min(height, width) < 32:
        raise UsageError(f"a picture needs at least 32 pixels a side, got {height}x{width}")
    kind = (
        _word("shape", shape, SHAPES, dice),
        _word("colour", colour, tuple(COLOURS), dice),
        _word("object_size", object_size, tuple(SIZES), dice),
        _word("pattern", pattern, PATTERNS, dice),
    )
    visible = np.full((height, width), -1, dtype=np.int8)
    placed = None
    while placed is None:
        placed = place(dice, height, width, [], visible, kind)
    things = _visible_objects([placed], visible)
    plain = None if ground is None else np.full((height, width, 3), ground, dtype=np.int32)
    name, where = named(dice, things[0]), spot(things[0], (height, width))
    sentences = (name, f"{name} {where}") if where else (name,)
    image = _painted(dice, (height, width), [placed], plain)
    return Scene(seed, image, things, MappingProxyType({}), sentences)


def _word(what: str, given: str | None, known: tuple[str, ...], dice: Dice) -> str:
    if given is None:
        return dice.pick(known)
    if given not in known:
        raise UsageError(f"no {what} {given!r}: there are {', '.join(known)}")
    return given
