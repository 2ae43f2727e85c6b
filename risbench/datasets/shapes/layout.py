"""The layout of an image: attributes, places, and which object covers which."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from .paint import overlap
from .prng import Dice
from .stamp import TILTS, UNIT, Stamp, cut
from .words import COLOURS, PATTERNS, SHAPES, SIZES

Corners = tuple[int, int, int, int]  # x0 y0 x1 y1 in pixels, half-open

SHORTEST, LONGEST = 120, 200  # sides of a picture
_CROWD = (0, 0, 10, 22, 26, 22, 13, 7)  # weights of 0 to 7 objects
_VISIBLE = 60  # per cent of an object that must be visible
_TINIEST = 9  # thousandths of the picture that an object must cover


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """An object with its stamp in place.

    Attributes:
        shape, colour, size, pattern: the words for its attributes.
        radius: in units of a sixth of a pixel.
        stamp: its shape; `area` is its number of pixels, `at` the pixel of the stamp's origin.
        turn: direction of its stripes.
        whole: the box of the complete shape, with parts that are hidden or outside the image.
    """

    shape: str
    colour: str
    size: str
    pattern: str
    radius: int
    stamp: Stamp
    area: int
    at: tuple[int, int]
    turn: int
    whole: Corners


def picture_size(dice: Dice) -> tuple[int, int]:
    """Height and width, never square."""
    while True:
        height, width = dice.between(SHORTEST, LONGEST), dice.between(SHORTEST, LONGEST)
        if abs(height - width) >= 8:
            return height, width


def attributes(dice: Dice, earlier: list[Placed]) -> tuple[str, str, str, str]:
    """Shape, colour, size and pattern; often shared with an earlier object, to make the task hard."""
    shape, colour = dice.pick(SHAPES), dice.pick(tuple(COLOURS))
    size, pattern = dice.pick(tuple(SIZES)), PATTERNS[dice.weigh((40, 22, 19, 19))]
    if earlier:
        model = dice.pick(earlier)
        way = dice.weigh((40, 16, 7, 9, 28))
        if way <= 2:
            shape = model.shape
        if way == 2:
            pattern, size = model.pattern, model.size
        if way in (1, 2, 3):
            colour = model.colour
    return shape, colour, size, pattern


def stamp_of(dice: Dice, shape: str, size: str, area: int) -> tuple[Stamp, int]:
    """A stamp for an object in an image of ``area`` pixels, and its radius in units."""
    low, high = SIZES[size]
    radius = max(3 * UNIT, isqrt(area * UNIT * UNIT) * dice.between(low, high) // 1000)
    shift = dice.below(UNIT), dice.below(UNIT)
    return cut(shape, radius, tilt=dice.below(len(TILTS)), flip=dice.chance(50), shift=shift), radius


def box(mask: np.ndarray) -> Corners:
    """The box round a non-empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def weight(mask: np.ndarray) -> tuple[int, tuple[int, int]]:
    """The number of pixels of a mask, and twice its centre of mass (x, y), rounded down."""
    rows, columns = np.nonzero(mask)
    area = int(rows.size)
    return area, (2 * int(columns.sum()) // area + 1, 2 * int(rows.sum()) // area + 1)


def place(
    dice: Dice, height: int, width: int, earlier: list[Placed], visible: np.ndarray, kind: tuple[str, str, str, str]
) -> Placed | None:
    """Place one more object in front of the earlier ones; None if there is no room.

    Args:
        dice: the random generator.
        height, width: size of the image.
        earlier: the existing objects, from back to front.
        visible: int8 ``(H, W)``, the index in `earlier` of the object visible in each pixel, or -1. It is changed if
            the object is placed.
        kind: shape, colour, size and pattern of the new object.
    """
    shape, colour, size, pattern = kind
    stamp, radius = stamp_of(dice, shape, size, height * width)
    mask = stamp.mask
    area = int(mask.sum())
    reach = radius // UNIT
    leader = dice.pick(earlier) if earlier and dice.chance(28) else None  # to be hidden a little
    for _ in range(24):
        margin = reach * 80 // 100
        at = dice.between(margin, width - margin), dice.between(margin, height - margin)
        if leader is not None:
            far = (leader.radius + radius) * dice.between(62, 92) // (100 * UNIT)
            across = dice.between(-far, far)
            along = isqrt(far * far - across * across) * dice.pick((-1, 1))
            at = leader.at[0] + across, leader.at[1] + along
            if not (margin <= at[0] <= width - margin and margin <= at[1] <= height - margin):
                continue
        if any(_too_near(at, radius, other) for other in earlier):
            continue
        rows, columns, picture_rows, picture_columns = overlap(stamp, at, height, width)
        ink = mask[rows, columns]
        if 100 * int(ink.sum()) < 80 * area:
            continue
        after = visible.copy()
        after[picture_rows, picture_columns][ink] = len(earlier)
        left = np.bincount(after.ravel() + 1, minlength=len(earlier) + 2)[1:]
        areas = [other.area for other in earlier] + [area]
        if any(
            100 * int(now) < _VISIBLE * all_of_it or 1000 * int(now) < _TINIEST * height * width
            for now, all_of_it in zip(left, areas, strict=True)
        ):
            continue
        visible[...] = after
        x0, y0, x1, y1 = box(mask)
        x, y = at[0] + stamp.left, at[1] + stamp.top
        whole = x0 + x, y0 + y, x1 + x, y1 + y
        return Placed(shape, colour, size, pattern, radius, stamp, area, at, dice.below(4), whole)
    return None


def _too_near(at: tuple[int, int], radius: int, other: Placed) -> bool:
    across, along = at[0] - other.at[0], at[1] - other.at[1]
    least = (radius + other.radius) * 60 // (100 * UNIT)
    return across * across + along * along < least * least


def crowd(dice: Dice) -> tuple[tuple[int, int], list[Placed], np.ndarray]:
    """An image's size, its objects from back to front, and the index of the object visible in each pixel (or -1)."""
    height, width = picture_size(dice)
    visible = np.full((height, width), -1, dtype=np.int8)
    placed: list[Placed] = []
    for _ in range(dice.weigh(_CROWD)):
        found = place(dice, height, width, placed, visible, attributes(dice, placed))
        if found is not None:
            placed.append(found)
    return (height, width), placed, visible
