"""What one expression is given under some rules, before any averaging."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .pointing import Point


class Scores(NamedTuple):
    """Of one expression; None where the rules or the prediction have nothing to say.

    Attributes:
        intersection: pixels in both masks.
        union: pixels in either.
        hit_box: whether the point lies in the true box (PointIt).
        hit_mask: whether it lies on the true mask (PointM).
        box_iou: the largest IoU of the scored boxes with the true box (Accbox).
    """

    intersection: int
    union: int
    hit_box: bool | None
    hit_mask: bool | None
    box_iou: float | None


class Verdict(NamedTuple):
    """The scores, and what was scored: the mask as the rules cut it, bool ``(H, W)``, and the point."""

    scores: Scores
    mask: np.ndarray
    point: Point | None
