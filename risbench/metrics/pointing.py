"""The pointing game: does a method's point lie on the object?

PointIt tests the true box, PointM the true mask (Liu et al., 2023: a point in the box may miss the object). The point
is the heat's first maximum in row-major order, or the point that the prediction gives. Points are ``(x, y)`` in
continuous pixels: the floor of a point is its pixel, and a heat's maximum is at the centre of its pixel.
"""

from __future__ import annotations

import math

from ..masks import LazyMask
from ..records import Box

Point = tuple[float, float]


def centre_of(place: int, size: tuple[int, int]) -> Point:
    """The centre of the pixel at a flat, row-major index."""
    row, column = divmod(place, size[1])
    return column + 0.5, row + 0.5


def hits_mask(point: Point, truth: LazyMask) -> bool:
    """True if the pixel under the point belongs to the mask; a point outside the image hits nothing."""
    return truth.covers(math.floor(point[1]), math.floor(point[0]))


def hits_box_pixels(point: Point, box: Box) -> bool:
    """True if the index of the pixel under the point is in the box, both ends included (the authors' test)."""
    return box.x0 <= math.floor(point[0]) <= box.x1 and box.y0 <= math.floor(point[1]) <= box.y1


def hits_box(point: Point, box: Box) -> bool:
    """True if the point lies in the half-open box."""
    return box.x0 <= point[0] < box.x1 and box.y0 <= point[1] < box.y1
