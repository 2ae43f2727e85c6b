"""What an expression of own data means: its mask and box, checked against the image."""

from __future__ import annotations

import math
from typing import Any

from ...errors import DataError, MaskError
from ...masks import box_of, parts_of, union_of
from ...records import Box

NEXT = "the form is in `risbench data import --help`"
_SLACK = 1.0  # pixels by which an outline may stand over the edge: annotators' tools round
_LEAST_COMMON = 0.5  # of a given box and the one round the mask; as `data check` has it


def target_of(entry: dict[str, Any], size: tuple[int, int], named: str) -> tuple[Box | None, Any]:
    """The box and segmentation of what an expression means; no box and no parts, where it means nothing.

    Args:
        entry: the expression, with ``mask``, ``box`` or both.
        size: ``(height, width)`` of its image.
        named: what to call it in an error text.

    Raises:
        DataError: a mask or box that is broken, empty, outside, or not of the other one's object.
    """
    mask, box = entry.get("mask"), entry.get("box")
    given = None if box is None else _box(box, size, named)
    if mask is None and given is None:
        raise DataError(f"{named}: has neither 'mask' nor 'box'; an expression without a target has \"mask\": []")
    if not mask and mask not in (None, []):
        raise DataError(f"{named}: 'mask' is {mask!r:.40}; {NEXT}")
    if not mask:
        return given, []
    drawn = _drawn(mask, size, named)
    if given and (common := _in_common(given, drawn)) < _LEAST_COMMON:
        raise DataError(
            f"{named}: its box and the box round its mask have {common:.0%} in common; a box is x0, y0, x1, y1"
        )
    return given or drawn, mask


def _box(box: Any, size: tuple[int, int], named: str) -> Box:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        raise DataError(f"{named}: 'box' must be four numbers x0, y0, x1, y1, got {box!r:.60}")
    x0, y0, x1, y1 = map(float, box)
    if x0 >= x1 or y0 >= y1:
        raise DataError(f"{named}: box {box!r:.60} has no area; a box is x0, y0, x1, y1")
    if min(x0, y0) < -_SLACK or x1 > size[1] + _SLACK or y1 > size[0] + _SLACK:
        raise DataError(f"{named}: box {box!r:.60} lies outside its image of {size[0]}x{size[1]} (height x width)")
    return Box(x0, y0, x1, y1)


def _drawn(mask: Any, size: tuple[int, int], named: str) -> Box:
    """The box round a mask, which must be good."""
    if isinstance(mask, list):
        for which, polygon in enumerate(mask):
            _check_polygon(polygon, size, f"{named}: polygon {which}")
    elif not isinstance(mask, dict):
        raise DataError(f"{named}: 'mask' is a {type(mask).__name__}; {NEXT}")
    try:
        box = box_of(union_of(parts_of(mask, size), size))
    except MaskError as error:
        raise DataError(f"{named}: mask: {error}") from None
    if box is None:
        raise DataError(f'{named}: its mask covers no pixel; an expression without a target has "mask": []')
    return box


def _check_polygon(polygon: Any, size: tuple[int, int], named: str) -> None:
    # A part of fewer than three corners covers no pixel; whether all do is seen when they are drawn.
    if not isinstance(polygon, list) or not all(map(_is_number, polygon)):
        raise DataError(f"{named}: must be at least three x, y pairs in one list, got {polygon!r:.60}")
    for sides, limit in ((polygon[::2], size[1]), (polygon[1::2], size[0])):
        if sides and (min(sides) < -_SLACK or max(sides) > limit + _SLACK):
            raise DataError(f"{named}: lies outside its image of {size[0]}x{size[1]} (height x width)")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e7


def _in_common(a: Box, b: Box) -> float:
    width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    shared = max(width, 0) * max(height, 0)
    return shared / (a.area + b.area - shared)
