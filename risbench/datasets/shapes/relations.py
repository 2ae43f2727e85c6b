"""Relations: phrases for the place of an object relative to another one that no other possible object has.

A relation is true of the target by a strict test (extents do not overlap, and the direction is clear), and false of all
other possible objects by a lenient test (not even the middle lies in this direction).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .records import DrawnObject
from .spans import clearance, least_distance, least_gap, middles, most_distance, most_gap

_WAYS = {"left of": (0, 0), "right of": (0, 1), "above": (1, 0), "below": (1, 1)}  # axis; end that it points to
TEXTS = {
    "left of": ("to the left of", "left of"),
    "right of": ("to the right of", "right of"),
}


def links(target: DrawnObject, anchor: DrawnObject) -> list[str]:
    """All relations of the target to the anchor by the strict test."""
    found = [link for link, (axis, end) in _WAYS.items() if _lies(target, anchor, axis, end)]
    found.append("closest to")  # whether it is depends on the others
    if touching(target, anchor):
        found.append("in front of" if target.depth > anchor.depth else "behind")
    return found


def singles_out(link: str, target: DrawnObject, others: Sequence[DrawnObject], anchor: DrawnObject) -> bool:
    """Whether no other possible object has the same relation to the anchor, even by the lenient test.

    Args:
        link: one of the target's `links` to the anchor.
        target: the target object.
        others: all other objects that the noun phrase may describe, without the anchor.
        anchor: the object that the target is related to.
    """
    if link in _WAYS:
        return not any(_may_lie(other, anchor, *_WAYS[link]) for other in others)
    if link == "closest to":
        return bool(others) and all(_much_nearer(target, other, anchor) for other in others)
    return not any(clearance(other, anchor) < 3 for other in others)


def _lies(thing: DrawnObject, anchor: DrawnObject, axis: int, end: int) -> bool:
    gap = least_gap(thing, anchor, axis) if end == 0 else least_gap(anchor, thing, axis)
    aside = max(abs(a - b) for a, b in zip(middles(thing, 1 - axis), middles(anchor, 1 - axis), strict=True))
    # The middle of each lies outside the other.
    apart = max(thing.whole[axis + 2] - thing.whole[axis], anchor.whole[axis + 2] - anchor.whole[axis])
    return gap >= apart + 4 and 10 * aside <= 9 * gap


def _may_lie(thing: DrawnObject, anchor: DrawnObject, axis: int, end: int) -> bool:
    return (most_gap(thing, anchor, axis) if end == 0 else most_gap(anchor, thing, axis)) > -4  # doubled pixels


def _much_nearer(target: DrawnObject, other: DrawnObject, anchor: DrawnObject) -> bool:
    return 10 * most_distance(target, anchor) <= 7 * least_distance(other, anchor) and clearance(
        target, anchor
    ) + 4 <= clearance(other, anchor)


def touching(first: DrawnObject, second: DrawnObject) -> bool:
    """Whether the front one of two objects visibly hides a part of the other."""
    # Boxes that only touch at an edge are not "in front of" each other.
    if any(
        min(first.whole[axis + 2], second.whole[axis + 2]) - max(first.whole[axis], second.whole[axis]) < 5
        for axis in (0, 1)
    ):
        return False
    y0, x0 = max(0, first.box[1] - 1), max(0, first.box[0] - 1)
    window = slice(y0, first.box[3] + 1), slice(x0, first.box[2] + 1)
    mine, theirs = first.mask[window], second.mask[window]
    seam = np.count_nonzero(mine[1:] & theirs[:-1]) + np.count_nonzero(mine[:-1] & theirs[1:])
    seam += np.count_nonzero(mine[:, 1:] & theirs[:, :-1]) + np.count_nonzero(mine[:, :-1] & theirs[:, 1:])
    return bool(seam >= 12)
