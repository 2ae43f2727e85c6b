"""The best of the boxes round a mask's contours, without working out the boxes that do not matter.

`boxes.contour_boxes` is the definition. Accbox needs the IoU of its best box alone, and most contours lie beside the
true box. So boxes are tried from the best on, and whether a box is one of `contour_boxes` is worked out number by
number: calling numpy costs more than what there is to compute.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..masks import LazyMask, Surrounding
from ..records import Box
from .boxes import DUMMY, best_box_iou, contour_boxes

_FEW = 64  # contours; of more, arrays are faster
_EXACT = 2896  # the sums of two products of numbers below it are below 2**24, so float32 holds them
# Halfway between the two float32 beside 0.05: a larger quotient is rounded to the one above.
_BETWEEN = (float(np.float32(0.05)) + float(np.nextafter(np.float32(0.05), np.float32(0)))) / 2


def best_contour_iou(mask: np.ndarray | LazyMask, truth: Box) -> float:
    """The largest IoU with the true box of a mask's boxes, as ``best_box_iou(contour_boxes(mask), truth)``.

    Args:
        mask: bool ``(H, W)``, or a lazy mask.
        truth: the true box.
    """
    import cv2

    lazy = LazyMask.of_pixels(mask)
    if lazy.area in (0, lazy.size):
        return best_box_iou(DUMMY, truth)
    if (rect := lazy.one_piece) is not None:
        return _iou_of(rect, truth, truth.area)
    round_mask = lazy.surrounding
    contours, _ = cv2.findContours(round_mask.pixels, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    if len(contours) > _FEW or max(lazy.shape) >= _EXACT:
        return best_box_iou(contour_boxes(lazy), truth)
    rects = [cv2.boundingRect(contour) for contour in contours]
    few = _FewBoxes(rects, round_mask)
    area = truth.area
    ious = [_iou_of(rect, truth, area) for rect in few.rects]
    if len(ious) == 1:
        return ious[0]
    try:
        for place in sorted(range(len(ious)), key=lambda place: -ious[place]):
            if ious[place] == 0 or (few.is_kept(place) and few.is_confident(place)):
                return ious[place]
    except _EqualError:
        return best_box_iou(contour_boxes(lazy), truth)
    raise AssertionError("one box is always kept")


class _EqualError(Exception):
    """Which of two boxes comes first depends on the order of the contours, which is not known here."""


class _FewBoxes:
    """A few rectangles ``(x, y, width, height)``: which of them the suppression of `boxes.odd_suppression` keeps."""

    def __init__(self, rects: Sequence[Sequence[int]], where: Surrounding) -> None:
        """Take rectangles within the pixels of ``where``."""
        left, top, self._pixels, is_turned = where
        self._inside = rects
        if is_turned:
            self.rects = [(left + y, top + x, high, wide) for x, y, wide, high in rects]
        else:
            self.rects = [(left + x, top + y, wide, high) for x, y, wide, high in rects]
        self._confidences: dict[int, float] = {}
        self._kept: dict[int, bool] = {}

    def confidence(self, place: int) -> float:
        """The share of mask pixels in a rectangle, computed as `boxes.contour_boxes` does."""
        import cv2

        if (known := self._confidences.get(place)) is not None:
            return known
        x, y, wide, high = self._inside[place]
        count = cv2.countNonZero(self._pixels[y : y + high, x : x + wide])
        self._confidences[place] = found = 255.0 * count / (wide * high) / 255.0
        return found

    def is_kept(self, place: int) -> bool:
        """Whether no box that is kept and comes before this one overlaps it.

        Raises:
            _EqualError: a box that overlaps it has the same confidence in float32.
        """
        if (known := self._kept.get(place)) is not None:
            return known
        found = True
        own = None
        for other in range(len(self.rects)):
            if other == place or not _suppresses(self.rects[place], self.rects[other]):
                continue
            if own is None:
                own = np.float32(self.confidence(place))
            its = np.float32(self.confidence(other))
            if its == own:
                raise _EqualError
            if its > own and self.is_kept(other):
                found = False
                break
        self._kept[place] = found
        return found

    def is_confident(self, place: int) -> bool:
        """Whether a box has more than half of the best confidence of those that are kept.

        Raises:
            _EqualError: the best cannot be distinguished from its equals in float32.
        """
        own = self.confidence(place)
        if own > 0.5:  # no confidence is above 1
            return True
        every = [self.confidence(other) for other in range(len(self.rects))]
        first = max(every)
        # The first of all is always kept; another that float32 holds equal may be, too.
        if any(one != first and np.float32(one) == np.float32(first) for one in every):
            raise _EqualError
        return own > 0.5 * first


def _suppresses(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two rectangles, each read as two corners, overlap with IoU above 0.05 in float32.

    Exact for numbers so small that float32 holds products and their sums.
    """
    x0, y0, x1, y1 = one
    u0, v0, u1, v1 = other
    wide, high = min(x1, u1) - max(x0, u0), min(y1, v1) - max(y0, v0)
    if wide <= 0 or high <= 0:
        return False
    shared = wide * high
    either = (u1 - u0) * (v1 - v0) + (x1 - x0) * (y1 - y0) - shared
    # 0.05 as a double lies between two numbers of float32. Their middle is rounded to the lower, even one.
    return either == 0 or shared / either > _BETWEEN


def _iou_of(rect: Sequence[int], truth: Box, area: float) -> float:
    """`boxes.box_iou` of a rectangle with a box of some area, without making a `Box`."""
    x, y, wide, high = rect
    across, down = min(x + wide, truth.x1) - max(x, truth.x0), min(y + high, truth.y1) - max(y, truth.y0)
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    return shared / (wide * high + area - shared)
