"""The scores of one expression under some rules, before any averaging."""

from __future__ import annotations

from typing import NamedTuple

from ..masks import LazyMask
from .pointing import Point


class Scores(NamedTuple):
    """The scores of one expression; None where the rules, the prediction or the truth do not give one.

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
    """The scores, and what was scored.

    Attributes:
        scores: the scores.
        mask: the method's own, or cut from the heat by the rules; ``numpy.asarray`` makes it bool ``(H, W)``.
        point: the scored point, or None.
        empty_truth: the object has parts, but the true mask that the rules make of them has no pixel.
        no_target: the expression refers to nothing.
    """

    scores: Scores
    mask: LazyMask
    point: Point | None
    empty_truth: bool = False
    no_target: bool = False
