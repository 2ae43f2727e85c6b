"""What one expression is given under some rules, before any averaging."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .pointing import Point


class Scores(NamedTuple):
    """Of one expression; None where the rules, the prediction or the truth have nothing to say.

    Attributes:
        intersection: pixels in both masks; None, as the union, where there is no true mask.
        union: pixels in either.
        hit_box: whether the point lies in the true box (PointIt).
        hit_mask: whether it lies on the true mask (PointM).
        box_iou: the largest IoU of the scored boxes with the true box (Accbox).
    """

    intersection: int | None
    union: int | None
    hit_box: bool | None
    hit_mask: bool | None
    box_iou: float | None


class Verdict(NamedTuple):
    """The scores, and what was scored: the mask as the rules cut it, bool ``(H, W)``, and the point.

    ``empty_truth`` says that the object has parts, and that the true mask the rules make of them covers no pixel;
    ``no_target`` that nothing is meant by the expression.
    """

    scores: Scores
    mask: np.ndarray
    point: Point | None
    empty_truth: bool = False
    no_target: bool = False
