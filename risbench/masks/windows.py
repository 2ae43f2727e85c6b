"""The rectangle round a mask, in which contours and components are found, from pixels and from run lengths."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .runlengths import between, joined


class Surrounding(NamedTuple):
    """The pixels of a rectangle that holds a mask.

    Attributes:
        left: the rectangle's column in the image.
        top: its row.
        pixels: uint8 0 and 1 ``(h, w)``, or ``(w, h)``.
        is_turned: whether ``pixels`` have the image's columns as rows, as run lengths have.
    """

    left: int
    top: int
    pixels: np.ndarray
    is_turned: bool


def cut_out(mask: np.ndarray) -> tuple[int, int, np.ndarray]:
    """The smallest rectangle round a mask, bool ``(H, W)``: its column, its row, and its pixels ``(h, w)``."""
    import cv2

    pixels = np.ascontiguousarray(mask).view(np.uint8)
    if not pixels.size:
        return 0, 0, np.zeros((0, 0), np.uint8)
    left, top, width, height = cv2.boundingRect(pixels)
    return (left, top, pixels[top : top + height, left : left + width]) if width else (0, 0, np.zeros((0, 0), np.uint8))


def drawn(runs: np.ndarray, shape: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    """The smallest rectangle round a mask of some runs, its pixels turned: ``(w, h)``.

    Args:
        runs: int64 ``(n,)``, none but the first of length 0.
        shape: ``(height, width)`` of the image.
    """
    height, width = shape
    stops = np.cumsum(runs)
    starts, lengths = stops[:-1:2], runs[1::2]
    if not starts.size:
        return 0, 0, np.zeros((0, 0), np.uint8)
    rows = starts % height
    bottom = int((rows + lengths).max())
    # A run that goes on in the next column covers the bottom of one column and the top of the next.
    top, bottom = (0, height) if bottom > height else (int(rows.min()), bottom)
    left, right = int(starts[0]) // height, (int(stops[1::2][-1]) - 1) // height + 1
    within = runs.copy()
    within[0] -= left * height
    if len(runs) % 2:
        within[-1] -= (width - right) * height
    ink = np.zeros(runs.size, dtype=np.uint8)
    ink[1::2] = 1
    return left, top, np.repeat(ink, within).reshape(right - left, height)[:, top:bottom]


def of_one_piece(runs: np.ndarray, shape: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The rectangle ``(x, y, width, height)`` of a mask with one run in each column, each touching the next.

    Such a mask is one component without holes, also where runs touch at corners only. None for any other mask.

    Args:
        runs: int64 ``(n,)``, none but the first of length 0.
        shape: ``(height, width)`` of the image.
    """
    height, _ = shape
    count = len(runs) // 2
    if not count:
        return None
    ends = np.cumsum(runs)
    first, last = int(ends[0]), int(ends[2 * count - 1]) - 1
    left = first // height
    if last // height - left + 1 != count:
        return None
    places = ends[: 2 * count].reshape(count, 2) - np.arange(left * height, (left + count) * height, height)[:, None]
    tops, bottoms = places[:, 0], places[:, 1]
    top, bottom = int(tops.min()), int(bottoms.max())
    if top < 0 or bottom > height:
        return None
    if not ((tops[1:] <= bottoms[:-1]) & (tops[:-1] <= bottoms[1:])).all():
        return None
    return left, top, count, bottom - top


def turned(left: int, top: int, pixels: np.ndarray) -> tuple[int, int, np.ndarray]:
    """A rectangle with its pixels' rows and columns exchanged."""
    import cv2

    # OpenCV turns bytes twice as fast as numpy does; a vector it would give back as it is.
    return left, top, cv2.transpose(pixels).reshape(pixels.shape[::-1]) if pixels.size else pixels


def shared_pixels(one: tuple[int, int, np.ndarray], other: tuple[int, int, np.ndarray]) -> int:
    """The number of pixels in both of two masks.

    Args:
        one: where a rectangle begins along either axis, and its pixels, of one byte each.
        other: the same of another mask.
    """
    (y0, x0, mine), (v0, u0, its) = one, other
    top, left = max(y0, v0), max(x0, u0)
    bottom, right = min(y0 + mine.shape[0], v0 + its.shape[0]), min(x0 + mine.shape[1], u0 + its.shape[1])
    if bottom <= top or right <= left:
        return 0
    mine = mine[top - y0 : bottom - y0, left - x0 : right - x0].view(np.bool_)
    return int(np.count_nonzero(mine & its[top - v0 : bottom - v0, left - u0 : right - u0].view(np.bool_)))


def runs_of_columns(left: int, top: int, inside: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The runs of a mask from the rectangle round it, whose pixels are turned: uint8 ``(w, h)``."""
    width, height = inside.shape
    if not inside.size:
        return np.array([shape[0] * shape[1]], dtype=np.int64)
    # A row of background below, so that no run goes on from one column to the next.
    columns = np.zeros((width, height + 1), dtype=np.uint8)
    columns[:, :height] = inside
    flat = columns.reshape(-1).view(np.bool_)
    bounds = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[0]:
        bounds = np.append(0, bounds)
    column, row = np.divmod(bounds, height + 1)
    places = (column + left) * shape[0] + (row + top)
    starts, stops = places[::2], places[1::2]
    if height == shape[0]:
        starts, stops = joined(starts, stops)
    return between(starts, stops, shape[0] * shape[1])
