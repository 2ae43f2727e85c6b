"""Positions: phrases for the place of an object that are not true of any other possible object.

Every position is true of the target by a margin and false of all other possible objects by a margin, by every measure
of `spans`. A template has ``{}`` for the noun phrase. Templates that start with the position are only for nouns without
adjectives.
"""

from __future__ import annotations

from collections.abc import Sequence

from .records import DrawnObject
from .spans import least_gap, middles

_SIDES = (("left", "right"), ("top", "bottom"))
_ENDS = (("leftmost", "rightmost"), ("highest", "lowest"))


def positions(target: DrawnObject, others: Sequence[DrawnObject], size: tuple[int, int], certain: bool) -> list[str]:
    """Templates that are true only of the target.

    Args:
        target: the target object.
        others: all other objects that the noun phrase may describe.
        size: height and width of the image.
        certain: whether the noun phrase certainly fits all the others, so that they can be counted.
    """
    lengths = size[1], size[0]
    found: list[str] = []
    for axis in (0, 1):
        for end in (0, 1):
            found += _side(target, others, axis, end, lengths[axis])
            found += _extreme(target, others, axis, end, lengths[axis])
            if certain:
                found += _second(target, others, axis, end, lengths[axis])
    found += _corner(target, others, lengths)
    found += _centre(target, others, lengths)
    return found


def _from_end(thing: DrawnObject, axis: int, end: int, length: int) -> tuple[int, int]:
    """Twice the distance of the middle from one end of the image, by the nearest and the farthest measure."""
    low, *_, high = sorted(middles(thing, axis))
    return (low, high) if end == 0 else (2 * length - high, 2 * length - low)


def _beyond(target: DrawnObject, other: DrawnObject, axis: int, end: int) -> int:
    """Twice the distance by which the target is nearer to an end than another object."""
    return least_gap(target, other, axis) if end == 0 else least_gap(other, target, axis)


def _side(target: DrawnObject, others: Sequence[DrawnObject], axis: int, end: int, length: int) -> list[str]:
    if 100 * _from_end(target, axis, end, length)[1] > 2 * 38 * length:
        return []
    for other in others:
        if 100 * _from_end(other, axis, end, length)[0] < 103 * length:
            return []
        if 100 * _beyond(target, other, axis, end) < 2 * 16 * length:
            return []
    side = _SIDES[axis][end]
    return [f"{{}} on the {side}" if axis == 0 else f"{{}} at the {side}", f"{side} {{}}"]


def _extreme(target: DrawnObject, others: Sequence[DrawnObject], axis: int, end: int, length: int) -> list[str]:
    if not others:
        return []
    for other in others:
        if 100 * _beyond(target, other, axis, end) < 2 * 8 * length:
            return []
        # Comparing edges instead of middles must give the same result.
        edge = other.box[axis] - target.box[axis] if end == 0 else target.box[axis + 2] - other.box[axis + 2]
        if edge < 3:
            return []
    return [f"{_ENDS[axis][end]} {{}}"]


def _second(target: DrawnObject, others: Sequence[DrawnObject], axis: int, end: int, length: int) -> list[str]:
    if len(others) < 2:
        return []
    nearer = [other for other in others if 100 * _beyond(other, target, axis, end) >= 2 * 8 * length]
    farther = [other for other in others if 100 * _beyond(target, other, axis, end) >= 2 * 8 * length]
    if len(nearer) != 1 or len(farther) != len(others) - 1:
        return []
    return [f"second {{}} from the {_SIDES[axis][end]}"]


def _corner(target: DrawnObject, others: Sequence[DrawnObject], lengths: tuple[int, int]) -> list[str]:
    found = []
    for right in (0, 1):
        for low in (0, 1):
            if any(
                100 * _from_end(target, axis, end, lengths[axis])[1] > 2 * 31 * lengths[axis]
                for axis, end in ((0, right), (1, low))
            ):
                continue
            if any(
                all(
                    100 * _from_end(other, axis, end, lengths[axis])[0] < 2 * 52 * lengths[axis]
                    for axis, end in ((0, right), (1, low))
                )
                for other in others
            ):
                continue
            corner = f"{_SIDES[1][low]} {_SIDES[0][right]}"
            found += [f"{{}} in the {corner} corner", f"{corner} {{}}"]
    return found


def _centre(target: DrawnObject, others: Sequence[DrawnObject], lengths: tuple[int, int]) -> list[str]:
    def off(thing: DrawnObject, axis: int) -> list[int]:
        return [abs(middle - lengths[axis]) for middle in middles(thing, axis)]

    if any(100 * max(off(target, axis)) > 2 * 10 * lengths[axis] for axis in (0, 1)):
        return []
    for other in others:
        if not any(100 * min(off(other, axis)) >= 2 * 24 * lengths[axis] for axis in (0, 1)):
            return []
    return ["{} in the centre of the picture"]
