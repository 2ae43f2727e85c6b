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
    left, top, pixels, is_turned = lazy.surrounding
    contours, tree = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    place = _largest(contours, tree[0, :, 3], lazy.area)
    if place is None:
        return _first_of_equals(*lazy.window)
    x, y, wide, high = cv2.boundingRect(contours[place])
    if is_turned:
        x, y, wide, high = y, x, high, wide
    x, y = x + left, y + top
    return Box(float(x), float(y), float(x + wide), float(y + high))


def _largest(contours: Sequence[np.ndarray], parents: np.ndarray, area: int) -> int | None:
    """The outer contour of the largest component; None if two are equally large, or if the contours are odd.

    Args:
        contours: corners of each, int32 ``(n, 1, 2)``, in the order of OpenCV's two levels.
        parents: of each contour of a hole the outer contour, of each outer contour -1, ``(m,)``.
        area: the number of pixels of all components.
    """
    if len(contours) == 1:
        return 0
    counts = _pixels_of(contours, parents)
    place = int(np.argmax(counts))
    is_alone = np.count_nonzero(counts == counts[place]) == 1
    return place if is_alone and counts.sum() == area else None


def _pixels_of(contours: Sequence[np.ndarray], parents: np.ndarray) -> np.ndarray:
    """The number of pixels of the component of each outer contour; 0 for a contour of a hole: int64 ``(m,)``.

    By Pick's theorem a polygon of pixel centres with area A and b steps holds A + b/2 + 1 of them, edge included, and
    A - b/2 + 1 without its edge. OpenCV walks a stretch of one pixel's width there and back, for which both still hold.
    """
    lengths = np.array([len(contour) for contour in contours])
    starts = np.cumsum(lengths) - lengths
    corners = np.concatenate(contours)[:, 0].astype(np.int64)
    following = np.roll(corners, -1, axis=0)
    following[starts + lengths - 1] = corners[starts]
    doubled = corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]
    steps = np.abs(following - corners).max(axis=1)
    twice = np.abs(np.add.reduceat(doubled, starts))
    around = np.add.reduceat(steps, starts)
    is_hole = parents >= 0
    counts = (twice + np.where(is_hole, -around, around)) // 2 + 1
    np.subtract.at(counts, parents[is_hole], counts[is_hole])
    counts[is_hole] = 0
    return counts


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
