"""Compare the places of objects, in whole numbers and by three measures.

An object has three middles: of the box round its visible part, of the box round its complete shape, and its centre of
mass. A statement is true only if it is true by all three measures, and false only if it is false by all three. Middles
are doubled to be whole numbers.
"""

from __future__ import annotations

from math import isqrt

from .records import DrawnObject


def middles(thing: DrawnObject, axis: int) -> tuple[int, int, int]:
    """Twice the middle along an axis (0 is x, 1 is y): of the visible box, of the complete box, of the mass."""
    return thing.box[axis] + thing.box[axis + 2], thing.whole[axis] + thing.whole[axis + 2], thing.mass[axis]


def least_gap(first: DrawnObject, second: DrawnObject, axis: int) -> int:
    """Twice the distance by which the second lies beyond the first, by the smallest measure."""
    return min(b - a for a, b in zip(middles(first, axis), middles(second, axis), strict=True))


def most_gap(first: DrawnObject, second: DrawnObject, axis: int) -> int:
    """The same by the largest measure."""
    return max(b - a for a, b in zip(middles(first, axis), middles(second, axis), strict=True))


def least_distance(first: DrawnObject, second: DrawnObject) -> int:
    """Twice the distance of the middles, by the smallest measure, rounded down."""
    return min(_distances(first, second))


def most_distance(first: DrawnObject, second: DrawnObject) -> int:
    """The same by the largest measure."""
    return max(_distances(first, second))


def _distances(first: DrawnObject, second: DrawnObject) -> list[int]:
    across = zip(middles(first, 0), middles(second, 0), strict=True)
    along = zip(middles(first, 1), middles(second, 1), strict=True)
    return [isqrt((b - a) ** 2 + (d - c) ** 2) for (a, b), (c, d) in zip(across, along, strict=True)]


def clearance(first: DrawnObject, second: DrawnObject) -> int:
    """The space between two visible boxes in pixels; 0 if they touch or overlap."""
    across = max(first.box[0] - second.box[2], second.box[0] - first.box[2], 0)
    along = max(first.box[1] - second.box[3], second.box[1] - first.box[3], 0)
    return isqrt(across * across + along * along)


def reach(thing: DrawnObject) -> int:
    """The longer side of the complete shape's box, in pixels."""
    return max(thing.whole[2] - thing.whole[0], thing.whole[3] - thing.whole[1])


def visible_reach(thing: DrawnObject) -> int:
    """The longer side of the visible part's box, in pixels."""
    return max(thing.box[2] - thing.box[0], thing.box[3] - thing.box[1])
