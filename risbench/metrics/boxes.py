"""Boxes: how they are made from a mask, and their IoU with the true box.

``contour_boxes`` is how TRIS's authors make boxes from a binary mask (``validate.py``, taken from WWbL):

1. One box round every contour that OpenCV finds, holes included. Its confidence is the share of mask pixels in it.
2. Non-maximum suppression at IoU 0.05, which by mistake reads ``(x, y, width, height)`` as corners.
3. Of the boxes left, those with more than half of the best confidence.

An empty mask and a full mask give the dummy box ``(0, 0, 1, 1)``. ``component_box`` is the plain alternative: the one
box round the largest 8-connected component.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..masks import LazyMask
from ..records import Box

DUMMY = np.array([[0, 0, 1, 1]], dtype=np.int64)
_SUPPRESSION = 0.05
_FEW = 16  # up to so many boxes, numbers are faster than arrays
_SOME = 24  # up to so many boxes, counting the pixels of each is faster than an integral image
_EXACT = 2896  # the sums of two products of numbers below it are below 2**24
# Halfway between the two float32 beside 0.05: a larger quotient is rounded to the one above.
_BETWEEN = (float(np.float32(0.05)) + float(np.nextafter(np.float32(0.05), np.float32(0)))) / 2
_BLOCK = 64


def contour_boxes(mask: np.ndarray | LazyMask) -> np.ndarray:
    """The authors' boxes of a mask, in their order.

    Args:
        mask: bool ``(H, W)``, or a lazy mask.

    Returns:
        int64 ``(n, 4)``, n >= 1, rows of x0 y0 x1 y1 in pixels, ends open.
    """
    import cv2

    lazy = LazyMask.of_pixels(mask)
    if lazy.area in (0, lazy.size):
        return DUMMY
    # Beyond a rectangle round the mask there is no contour, and their order is that of rows and columns.
    left, top, pixels = lazy.surrounding
    contours, _ = cv2.findContours(pixels, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if len(contours) == 1:
        x, y, wide, high = cv2.boundingRect(contours[0])
        return np.array([[left + x, top + y, left + x + wide, top + y + high]], dtype=np.int64)
    if len(contours) <= _FEW:
        rects = [cv2.boundingRect(contour) for contour in contours]
        return _kept_of_few(rects, left, top, pixels, is_exact=max(lazy.shape) < _EXACT)
    rects = np.array([cv2.boundingRect(contour) for contour in contours], dtype=np.int64)
    confidences = _fill(pixels, rects)
    rects[:, 0] += left
    rects[:, 1] += top
    kept = odd_suppression(rects, confidences)
    kept = kept[confidences[kept] > 0.5 * confidences[kept].max()]
    boxes = rects[kept]
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _kept_of_few(rects: Sequence[Sequence[int]], left: int, top: int, pixels: np.ndarray, is_exact: bool) -> np.ndarray:
    """The boxes of a few rectangles within the window that begins at left and top; see `contour_boxes`.

    Number by number, because calling numpy costs more than what there is to compute.
    """
    import cv2

    counts = [cv2.countNonZero(pixels[y : y + high, x : x + wide]) for x, y, wide, high in rects]
    confidences = [
        255.0 * count / (wide * high) / 255.0 for count, (_, _, wide, high) in zip(counts, rects, strict=True)
    ]
    whole = [(x + left, y + top, wide, high) for x, y, wide, high in rects]
    if is_exact:
        kept = _few_suppressed(whole, np.array(confidences, dtype=np.float32).tolist())
    else:
        kept = odd_suppression(np.array(whole, dtype=np.int64), np.array(confidences)).tolist()
    enough = 0.5 * max(confidences[place] for place in kept)
    boxes = [whole[place] for place in kept if confidences[place] > enough]
    return np.array([(x, y, x + wide, y + high) for x, y, wide, high in boxes], dtype=np.int64)


def _few_suppressed(rects: Sequence[Sequence[int]], confidences: list[float]) -> list[int]:
    """What `odd_suppression` gives, for numbers so small that float32 holds products and their sums exactly."""
    order = sorted(range(len(rects)), key=lambda place: -confidences[place])
    kept: list[int] = []
    for place in order:
        x0, y0, x1, y1 = rects[place]
        for other in kept:
            u0, v0, u1, v1 = rects[other]
            wide, high = min(x1, u1) - max(x0, u0), min(y1, v1) - max(y0, v0)
            if wide > 0 and high > 0:
                shared = wide * high
                either = (u1 - u0) * (v1 - v0) + (x1 - x0) * (y1 - y0) - shared
                # 0.05 as a double lies between two numbers of float32. Their middle is rounded to the lower, even one.
                if either == 0 or shared / either > _BETWEEN:
                    break
        else:
            kept.append(place)
    return kept


def _fill(pixels: np.ndarray, rects: np.ndarray) -> np.ndarray:
    """The mean grey value of each rectangle divided by 255, computed as the authors do: float64 ``(n,)``."""
    import cv2

    x, y, width, height = rects.T
    if len(rects) <= _SOME:
        counts = np.array([cv2.countNonZero(pixels[b : b + h, a : a + w]) for a, b, w, h in rects.tolist()])
    else:
        sums = cv2.integral(pixels)
        counts = sums[y + height, x + width] - sums[y, x + width] - sums[y + height, x] + sums[y, x]
    return 255.0 * counts / (width * height) / 255.0


def odd_suppression(rects: np.ndarray, confidences: np.ndarray) -> np.ndarray:
    """Greedy non-maximum suppression in float32, which reads ``(x, y, width, height)`` as two corners.

    Width and height are in the place of the second corner, so areas may be negative, or a product of two negative
    sides. The authors' figures contain this mistake, so these figures must too. Source: torchvision's ``nms`` on CPU.

    Returns:
        The indices of the boxes that are kept.
    """
    order = np.argsort(-confidences.astype(np.float32), kind="stable")
    if len(order) == 1:
        return order
    x0, y0, x1, y1 = rects[order].astype(np.float32).T
    areas = (x1 - x0) * (y1 - y0)
    alive = np.ones(len(order), dtype=bool)
    kept = []
    # Block by block: one matrix for a usual mask, and bounded memory for a mask of ten thousand specks.
    for start in range(0, len(order), _BLOCK):
        rows = np.flatnonzero(alive[start : start + _BLOCK]) + start
        suppressed = _overlaps(x0, y0, x1, y1, areas, rows, start)
        for row, others in zip(rows.tolist(), suppressed, strict=True):
            if alive[row]:
                kept.append(row)
                alive[row + 1 :] &= ~others[row + 1 - start :]
    return order[kept]


def _overlaps(
    x0: np.ndarray, y0: np.ndarray, x1: np.ndarray, y1: np.ndarray, areas: np.ndarray, rows: np.ndarray, start: int
) -> np.ndarray:
    """Whether each of some boxes suppresses each box from ``start`` on: bool ``(rows, n - start)``."""
    this, rest = rows[:, None], slice(start, None)
    width = np.minimum(x1[this], x1[rest]) - np.maximum(x0[this], x0[rest])
    height = np.minimum(y1[this], y1[rest]) - np.maximum(y0[this], y0[rest])
    shared = np.maximum(width, np.float32(0)) * np.maximum(height, np.float32(0))
    with np.errstate(divide="ignore", invalid="ignore"):
        # The bound is a double in torchvision, and the quotient is widened to it.
        return (shared / (areas[this] + areas[rest] - shared)).astype(np.float64) > _SUPPRESSION


def component_box(mask: np.ndarray | LazyMask) -> Box | None:
    """The box round the largest 8-connected component (the first of equals); None for an empty mask."""
    import cv2

    lazy = LazyMask.of_pixels(mask)
    left, top, pixels = lazy.window
    if not pixels.size:
        return None
    contours, tree = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = [contours[place] for place in np.flatnonzero(tree[0, :, 3] < 0).tolist()]
    rects = np.array([cv2.boundingRect(contour) for contour in outer], dtype=np.int64)
    # A component has at most its rectangle's pixels. Where that is less for all others together than what is left of
    # the mask for one, this one is the largest, as beside a few specks; else pixels are counted.
    most = rects[:, 2] * rects[:, 3]
    place = int(np.argmax(most))
    others = np.delete(most, place)
    if lazy.area - int(others.sum()) > others.max(initial=0):
        x, y, width, height = rects[place].tolist()
    else:
        x, y, width, height = _largest_component(pixels, left, top)
    x, y = x + left, y + top
    return Box(float(x), float(y), float(x + width), float(y + height))


def _largest_component(pixels: np.ndarray, left: int, top: int) -> tuple[int, int, int, int]:
    """The column, row, width and height of a component within the rectangle of pixels that begins at left and top."""
    import cv2

    # OpenCV numbers components by blocks of two by two pixels, so the rectangle begins at an even place, where equally
    # large components come in the order of the whole image.
    x, y = left % 2, top % 2
    inside = cv2.copyMakeBorder(pixels, y, 0, x, 0, cv2.BORDER_CONSTANT, value=0)
    _, _, table, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    found = table[1 + int(np.argmax(table[1:, cv2.CC_STAT_AREA]))].tolist()
    return found[0] - x, found[1] - y, found[2], found[3]


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes with open ends, in [0, 1]; 0 where both are empty."""
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area
    union = a.area + b.area - shared
    return shared / union if union > 0 else 0.0


def best_box_iou(boxes: np.ndarray, truth: Box) -> float:
    """The largest `box_iou` of some boxes, ``(n, 4)`` with n >= 1, with the true box."""
    if len(boxes) <= _FEW:
        return max(_iou_of(box, truth, truth.area) for box in boxes.tolist())
    x0, y0, x1, y1 = boxes.astype(np.float64).T
    widths = np.minimum(x1, truth.x1) - np.maximum(x0, truth.x0)
    heights = np.minimum(y1, truth.y1) - np.maximum(y0, truth.y0)
    shared = np.maximum(widths, 0.0) * np.maximum(heights, 0.0)
    unions = np.maximum(x1 - x0, 0.0) * np.maximum(y1 - y0, 0.0) + truth.area - shared
    return float(np.divide(shared, unions, out=np.zeros_like(shared), where=unions > 0).max())


def _iou_of(box: Sequence[float], truth: Box, area: float) -> float:
    """`box_iou` of a box x0 y0 x1 y1 with another of some area, without making a `Box`."""
    x0, y0, x1, y1 = box
    wide, high = min(x1, truth.x1) - max(x0, truth.x0), min(y1, truth.y1) - max(y0, truth.y0)
    shared = wide * high if wide > 0 and high > 0 else 0.0
    union = ((x1 - x0) * (y1 - y0) if x1 > x0 and y1 > y0 else 0.0) + area - shared
    return shared / union if union > 0 else 0.0


def first_box_iou(boxes: np.ndarray, truth: Box) -> float:
    """IoU of the first predicted box of ``(n, 4)`` with the true box; 0 if there is none."""
    return box_iou(Box(*boxes[0].tolist()), truth) if len(boxes) else 0.0
