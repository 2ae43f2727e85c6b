"""Positions: what can be said of where an object lies, so that none of its rivals lies there too.

Every position is true of the target by a margin and false of every rival by a margin, by every reading of `spans`.
A template has ``{}`` where the noun phrase stands; the ones that start with the position are for bare nouns only.
"""

from __future__ import annotations

from collections.abc import Sequence

from .records import DrawnObject
from .spans import least_gap, middles

_SIDES = (("left", "right"), ("top", "bottom"))
_ENDS = (("leftmost", "rightmost"), ("highest", "lowest"))


def positions(target: DrawnObject, others: Sequence[DrawnObject], size: tuple[int, int], certain: bool) -> list[str]:
    """Templates that single out the target among the others.

    Args:
        target: the object meant.
        others: every other object that the noun phrase might mean.
        size: height and width of the picture.
        certain: whether the noun phrase fits all the others beyond doubt, so that they can be counted.
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
    """Twice the distance of the middle from one end of the picture, the nearer and the farther reading."""
    low, *_, high = sorted(middles(thing, axis))
    return (low, high) if end == 0 else (2 * length - high, 2 * length - low)


def _beyond(target: DrawnObject, other: DrawnObject, axis: int, end: int) -> int:
    """How far (doubled) the target lies nearer to an end than another object."""
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
        # Somebody may look at the edges instead of the middles; then the answer must be the same.
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
