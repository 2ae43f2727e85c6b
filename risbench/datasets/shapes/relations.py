"""Relations: how an object lies to another one, so that none of its rivals lies so too.

True of the target by the strict reading (whole extents apart, well within the direction's quarter of the plane) and
false of every rival by the lenient one (not even its middle lies that way).
"""

from __future__ import annotations

from collections.abc import Sequence

from .records import DrawnObject
from .spans import clearance, least_distance, least_gap, middles, most_distance, most_gap

_WAYS = (
    (0, 0, ("to the left of", "left of")),
    (0, 1, ("to the right of", "right of")),
    (1, 0, ("above",)),
    (1, 1, ("below",)),
)


def relations(target: DrawnObject, others: Sequence[DrawnObject], anchor: DrawnObject) -> list[str]:
    """What may stand between the noun phrase and the anchor.

    Args:
        target: the object meant.
        others: every other object that the noun phrase might mean, the anchor not among them.
        anchor: the object that the target is related to.
    """
    found: list[str] = []
    for axis, end, texts in _WAYS:
        if _lies(target, anchor, axis, end) and not any(_may_lie(other, anchor, axis, end) for other in others):
            found += texts
    if others and all(_much_nearer(target, other, anchor) for other in others):
        found.append("closest to")
    if touching(target, anchor) and not any(clearance(other, anchor) < 3 for other in others):
        found.append("in front of" if target.depth > anchor.depth else "behind")
    return found


def _lies(thing: DrawnObject, anchor: DrawnObject, axis: int, end: int) -> bool:
    gap = least_gap(thing, anchor, axis) if end == 0 else least_gap(anchor, thing, axis)
    aside = max(abs(a - b) for a, b in zip(middles(thing, 1 - axis), middles(anchor, 1 - axis), strict=True))
    # The middle of each lies outside the other.
    apart = max(thing.whole[axis + 2] - thing.whole[axis], anchor.whole[axis + 2] - anchor.whole[axis])
    return gap >= apart + 4 and 10 * aside <= 9 * gap


def _may_lie(thing: DrawnObject, anchor: DrawnObject, axis: int, end: int) -> bool:
    return (most_gap(thing, anchor, axis) if end == 0 else most_gap(anchor, thing, axis)) > 0


def _much_nearer(target: DrawnObject, other: DrawnObject, anchor: DrawnObject) -> bool:
    return 10 * most_distance(target, anchor) <= 7 * least_distance(other, anchor) and clearance(
        target, anchor
    ) + 4 <= clearance(other, anchor)


def touching(first: DrawnObject, second: DrawnObject) -> bool:
    """Whether the front one of two objects visibly hides a part of the other."""
    front, back = (first, second) if first.depth > second.depth else (second, first)
    y0, x0 = max(0, front.box[1] - 1), max(0, front.box[0] - 1)
    window = slice(y0, front.box[3] + 1), slice(x0, front.box[2] + 1)
    mine, theirs = front.mask[window], back.mask[window]
    seam = int((mine[1:] & theirs[:-1]).sum() + (mine[:-1] & theirs[1:]).sum())
    seam += int((mine[:, 1:] & theirs[:, :-1]).sum() + (mine[:, :-1] & theirs[:, 1:]).sum())
    # What the front one hides of the other's box: mere touching at an edge is not "in front of".
    shared = (
        (min(front.whole[2], back.whole[2]) - max(front.whole[0], back.whole[0])),
        (min(front.whole[3], back.whole[3]) - max(front.whole[1], back.whole[1])),
    )
    return seam >= 12 and min(shared) >= 5
