"""Boxes: the ones a mask brings with it, and how well a box meets the true one.

``contour_boxes`` is the authors' way from a binary mask to boxes (spec: TRIS ``validate.py``, taken from WWbL): a box
round every contour of OpenCV, holes included; its confidence is the share of mask in it; a non-maximum suppression at
0.05 that takes ``(x, y, width, height)`` for corners; of the rest, the boxes with more than half the best confidence.
An empty and a completely full mask yield the dummy box ``(0, 0, 1, 1)``. ``component_box`` is the plain alternative:
the one box round the largest 8-connected component.
"""

from __future__ import annotations

import numpy as np

from ..records import Box

DUMMY = np.array([[0, 0, 1, 1]], dtype=np.int64)
_SUPPRESSION = 0.05
_FEW = 24  # up to here, counting each box by itself is faster than the integral image
_BLOCK = 64


def contour_boxes(mask: np.ndarray, area: int | None = None) -> np.ndarray:
    """The authors' boxes of a mask, in their order.

    Args:
        mask: bool ``(H, W)``.
        area: its number of pixels, if known.

    Returns:
        int64 ``(n, 4)``, n >= 1, rows of x0 y0 x1 y1 in pixels, ends open.
    """
    import cv2

    pixels = np.ascontiguousarray(mask).view(np.uint8)
    if (np.count_nonzero(pixels) if area is None else area) in (0, pixels.size):
        return DUMMY
    contours, _ = cv2.findContours(pixels, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    rects = np.array([cv2.boundingRect(contour) for contour in contours], dtype=np.int64).reshape(-1, 4)
    confidences = _fill(pixels, rects)
    kept = odd_suppression(rects, confidences)
    kept = kept[confidences[kept] > 0.5 * confidences[kept].max()]
    boxes = rects[kept]
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _fill(pixels: np.ndarray, rects: np.ndarray) -> np.ndarray:
    """The mean grey of each rect over 255, as the authors' uint8 picture gives it: float64 ``(n,)``."""
    import cv2

    x, y, width, height = rects.T
    if len(rects) <= _FEW:
        counts = np.array([cv2.countNonZero(pixels[b : b + h, a : a + w]) for a, b, w, h in rects.tolist()])
    else:
        sums = cv2.integral(pixels)
        counts = sums[y + height, x + width] - sums[y, x + width] - sums[y + height, x] + sums[y, x]
    return 255.0 * counts / (width * height) / 255.0


def odd_suppression(rects: np.ndarray, confidences: np.ndarray) -> np.ndarray:
    """Greedy suppression in float32 of rects ``(x, y, width, height)`` read as if they were corners: kept indices.

    Widths and heights stand where the far corner should, so areas may be negative or the product of two negatives.
    The authors' numbers contain this, therefore so do these. Source: torchvision's ``nms`` on CPU.
    """
    order = np.argsort(-confidences.astype(np.float32), kind="stable")
    if len(order) == 1:
        return order
    x0, y0, x1, y1 = rects[order].astype(np.float32).T
    areas = (x1 - x0) * (y1 - y0)
    alive = np.ones(len(order), dtype=bool)
    kept = []
    # A block of rows at a time: one matrix for a usual mask, bounded memory for one of ten thousand specks.
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


def component_box(mask: np.ndarray) -> Box | None:
    """The box round the largest 8-connected component (the first of equals); None for an empty mask."""
    import cv2

    pixels = np.ascontiguousarray(mask).view(np.uint8)
    count, _, table, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
    if count < 2:
        return None
    x, y, width, height, _ = table[1 + int(np.argmax(table[1:, cv2.CC_STAT_AREA]))].tolist()
    return Box(float(x), float(y), float(x + width), float(y + height))


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes with open ends, in [0, 1]; 0 where both are empty."""
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area
    union = a.area + b.area - shared
    return shared / union if union > 0 else 0.0


def first_box_iou(boxes: np.ndarray, truth: Box) -> float:
    """How well the first of brought boxes, ``(n, 4)``, meets the true one; 0 if there is none."""
    return box_iou(Box(*boxes[0].tolist()), truth) if len(boxes) else 0.0
