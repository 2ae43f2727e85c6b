"""Boxes: how they are made from a mask, and their IoU with the true box.

``contour_boxes`` is how TRIS's authors make boxes from a binary mask (``validate.py``, taken from WWbL):

1. One box round every contour that OpenCV finds, holes included. Its confidence is the share of mask pixels in it.
2. Non-maximum suppression at IoU 0.05, which by mistake reads ``(x, y, width, height)`` as corners.
3. Of the boxes left, those with more than half of the best confidence.

An empty mask and a full mask give the dummy box ``(0, 0, 1, 1)``. `risbench.metrics.contours.best_contour_iou` finds
the best of them faster. `risbench.metrics.components.component_box` is the plain alternative.
"""

from __future__ import annotations

import numpy as np

from ..masks import LazyMask
from ..records import Box

DUMMY = np.array([[0, 0, 1, 1]], dtype=np.int64)
_SUPPRESSION = 0.05
_SOME = 24  # up to so many boxes, counting the pixels of each is faster than an integral image
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
    left, top, pixels = lazy.window
    contours, _ = cv2.findContours(pixels, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    rects = np.array([cv2.boundingRect(contour) for contour in contours], dtype=np.int64)
    confidences = _fill(pixels, rects)
    rects[:, 0] += left
    rects[:, 1] += top
    kept = odd_suppression(rects, confidences)
    kept = kept[confidences[kept] > 0.5 * confidences[kept].max()]
    boxes = rects[kept]
    boxes[:, 2:] += boxes[:, :2]
    return boxes


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


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes with open ends, in [0, 1]; 0 where both are empty."""
    shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area
    union = a.area + b.area - shared
    return shared / union if union > 0 else 0.0


def best_box_iou(boxes: np.ndarray, truth: Box) -> float:
    """The largest `box_iou` of some boxes, ``(n, 4)`` with n >= 1, with the true box."""
    x0, y0, x1, y1 = boxes.astype(np.float64).T
    widths = np.minimum(x1, truth.x1) - np.maximum(x0, truth.x0)
    heights = np.minimum(y1, truth.y1) - np.maximum(y0, truth.y0)
    shared = np.maximum(widths, 0.0) * np.maximum(heights, 0.0)
    unions = np.maximum(x1 - x0, 0.0) * np.maximum(y1 - y0, 0.0) + truth.area - shared
    return float(np.divide(shared, unions, out=np.zeros_like(shared), where=unions > 0).max())


def first_box_iou(boxes: np.ndarray, truth: Box) -> float:
    """IoU of the first predicted box of ``(n, 4)`` with the true box; 0 if there is none."""
    return box_iou(Box(*boxes[0].tolist()), truth) if len(boxes) else 0.0
