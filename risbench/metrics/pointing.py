"""Pointing: whether the place a method is surest of lies on the object.

PointIt asks for the true box, PointM for the true mask (Liu et al., 2023: a box may be hit beside the object). The
place is the heat's first maximum in row-major order, or the point a prediction names. Points are ``(x, y)`` in
continuous pixels, so the pixel is their floor and a heat's maximum lies at the centre of its pixel.
"""

from __future__ import annotations

import math

import numpy as np

from ..records import Box

Point = tuple[float, float]


def centre_of(place: int, size: tuple[int, int]) -> Point:
    """The centre of the pixel at a flat, row-major place."""
    row, column = divmod(place, size[1])
    return column + 0.5, row + 0.5


def hits_mask(point: Point, truth: np.ndarray) -> bool:
    """True if the pixel under the point belongs to the mask; a point outside the image hits nothing."""
    column, row = math.floor(point[0]), math.floor(point[1])
    return 0 <= row < truth.shape[0] and 0 <= column < truth.shape[1] and bool(truth[row, column])


def hits_box_pixels(point: Point, box: Box) -> bool:
    """True if the index of the pixel under the point is in the box, both ends included (the authors' test)."""
    return box.x0 <= math.floor(point[0]) <= box.x1 and box.y0 <= math.floor(point[1]) <= box.y1


def hits_box(point: Point, box: Box) -> bool:
    """True if the point lies in the half-open box."""
    return box.x0 <= point[0] < box.x1 and box.y0 <= point[1] < box.y1
