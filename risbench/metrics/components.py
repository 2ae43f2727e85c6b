"""The box round the largest 8-connected component of a mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..masks import LazyMask
from ..records import Box


def component_box(mask: np.ndarray | LazyMask) -> Box | None:
    """The box round the largest 8-connected component; None for an empty mask.

    Of equally large components it is the first that OpenCV's ``connectedComponents`` numbers.

    Args:
        mask: bool ``(H, W)``, or a lazy mask.
    """
    import cv2

    lazy = LazyMask.of_pixels(mask)
    if not lazy.area:
        return None
    if (rect := lazy.one_piece) is not None:
        x, y, wide, high = rect
        return Box(float(x), float(y), float(x + wide), float(y + high))
    left, top, pixels, is_turned = lazy.surrounding
    # Every point of a contour, so that their number is that of its steps.
    contours, tree = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rect = _largest(contours, tree[0].tolist())
    if rect is None:
        return _first_of_equals(*lazy.window)
    x, y, wide, high = rect
    if is_turned:
        x, y, wide, high = y, x, high, wide
    x, y = x + left, y + top
    return Box(float(x), float(y), float(x + wide), float(y + high))


def _largest(contours: Sequence[np.ndarray], tree: Sequence[Sequence[int]]) -> Sequence[int] | None:
    """The rectangle ``(x, y, width, height)`` of the largest component; None if two are equally large.

    Args:
        contours: the points of each, int32 ``(n, 1, 2)``, in OpenCV's two levels: outer contours, and those of holes.
        tree: of each contour the next, the one before, its first hole, and the contour that it is a hole in; or -1.
    """
    import cv2

    outer = [place for place, (_, _, _, parent) in enumerate(tree) if parent < 0]
    rects = {place: cv2.boundingRect(contours[place]) for place in outer}
    outer.sort(key=lambda place: -rects[place][2] * rects[place][3])
    if len(outer) == 1:
        return rects[outer[0]]
    best = most = 0
    is_alone = True
    for place in outer:
        if rects[place][2] * rects[place][3] < most:
            break  # a component has at most its rectangle's pixels
        count = _pixels_of(place, contours, tree)
        if count > most:
            best, most, is_alone = place, count, True
        elif count == most:
            is_alone = False
    return rects[best] if is_alone else None


def _pixels_of(place: int, contours: Sequence[np.ndarray], tree: Sequence[Sequence[int]]) -> int:
    """The number of pixels of the component that an outer contour is round; see `_largest`.

    By Pick's theorem a polygon of pixel centres with area A and b steps holds A + b/2 + 1 of them, edge included, and
    A - b/2 + 1 without its edge. OpenCV walks a stretch of one pixel's width there and back, for which both still hold.
    """
    import cv2

    contour = contours[place]
    steps = len(contour) if len(contour) > 1 else 0
    doubled = 2 * cv2.contourArea(contour) + steps + 2
    hole = tree[place][2]
    while hole >= 0:
        doubled -= 2 * cv2.contourArea(contours[hole]) - len(contours[hole]) + 2
        hole = tree[hole][0]
    return round(doubled) // 2


def _first_of_equals(left: int, top: int, pixels: np.ndarray) -> Box:
    """The first of the largest components within the rectangle of pixels that begins at left and top."""
    import cv2

    # OpenCV numbers components by blocks of two by two pixels, so the rectangle begins at an even place, where equally
    # large components come in the order of the whole image.
    x, y = left % 2, top % 2
    inside = cv2.copyMakeBorder(pixels, y, 0, x, 0, cv2.BORDER_CONSTANT, value=0)
    _, _, table, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    found = table[1 + int(np.argmax(table[1:, cv2.CC_STAT_AREA]))].tolist()
    x, y = found[0] - x + left, found[1] - y + top
    return Box(float(x), float(y), float(x + found[2]), float(y + found[3]))
