"""The rules `tris`: the evaluation of TRIS as the authors' code computes it, quirks included.

- Truth: pixels covered by exactly one part of the annotation, so overlapping parts count as background. ReferIt:
  pixels covered by any part for IoU, by exactly one for PointM.
- Heat: bilinear to the image's size, corners on corners; divided by its maximum plus 1e-5; mask where ``> 1e-9``.
  If a heat has no positive value, the division turns its sign, and the whole image is mask.
- Point: first maximum, row-major; box ends included; the true box cut to whole numbers.
- Boxes: round every contour, with the unusual suppression of `boxes.contour_boxes`; the best of them counts (Accbox is
  an any-box rate).
Source: github.com/fawnliu/TRIS, validate.py and validate_referit.py; agreement is tested in tests/risbench/metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...masks import LazyMask
from ...records import Box, Overlap, Prediction, Sample
from ..boxes import first_box_iou
from ..contours import best_contour_iou
from ..floats import lowest_where
from ..overlap import overlap
from ..pointing import centre_of, hits_box_pixels, hits_mask
from ..resize import Upsampled, bilinear
from ..scores import Scores, Verdict

TEXT = (
    "truth where exactly one part covers (ReferIt: any part for IoU), at the image's size; heat bilinear with aligned "
    "corners, divided by max + 1e-5, > 1e-9; point: first maximum, integer box with closed ends; Accbox: any box of "
    "the mask's contours"
)
THRESHOLD = 1e-9  # of the divided heat
TAKES_CARD_THRESHOLD = False
SIZE = None  # masks are counted at the image's size
LOCATES = True
_FLOOR = np.float32(1e-5)


class TrisTruth(NamedTuple):
    """The truth of one sample.

    Attributes:
        mask: for IoU.
        pointed: for PointM.
        box: for PointIt and Accbox, or None.
    """

    mask: LazyMask
    pointed: LazyMask
    box: Box | None


def truth_of(sample: Sample) -> TrisTruth:
    """The truth as the authors compute it."""
    once = LazyMask.of_parts(sample.parts, sample.size, once=True)
    mask = LazyMask.of_parts(sample.parts, sample.size) if sample.id.startswith("referit_") else once
    box = None
    if sample.box is not None:
        # The authors cut each of x y w h to a whole number. Rounding first removes the error of w = x1 - x0.
        x, y = int(sample.box.x0), int(sample.box.y0)
        width, height = (int(round(far - near, 6)) for near, far in zip(sample.box[:2], sample.box[2:], strict=True))
        box = Box(float(x), float(y), float(x + width), float(y + height))
    return TrisTruth(mask, once, box)


def judge(sample: Sample, truth: TrisTruth, prediction: Prediction, threshold: float | None) -> Verdict:
    """Score one checked prediction; ``threshold`` is of the heat divided by its maximum (default 1e-9)."""
    point = prediction.point
    mask = prediction.mask
    if prediction.heat is not None and (mask is None or point is None):
        heat = Upsampled(prediction.heat, sample.size, align_corners=True)
        divisor = heat.largest() + _FLOOR
        if point is None:
            point = centre_of(_place(heat, divisor), sample.size)
        if mask is None:
            mask = _cut(heat, divisor, THRESHOLD if threshold is None else threshold)
    if mask is None:
        raise ValueError("a checked prediction has a mask or a heat")
    mask = LazyMask.of_pixels(mask)
    shared = overlap(mask, truth.mask)
    best = 0.0
    if truth.box is not None:
        if prediction.boxes is not None:
            best = first_box_iou(prediction.boxes, truth.box)
        else:
            best = best_contour_iou(mask, truth.box)
    hit_box = None if point is None else truth.box is not None and hits_box_pixels(point, truth.box)
    hit_mask = None if point is None else hits_mask(point, truth.pointed)
    return Verdict(Scores(shared.intersection, shared.union, hit_box, hit_mask, best), mask, point)


def scaled(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A heat resized to ``size``, float32, in the unit of the threshold: divided by its maximum plus 1e-5."""
    grown = bilinear(heat, size, align_corners=True)
    divisor = grown.max() + _FLOOR
    # If the divisor is zero, all values are negative; undivided they are below every threshold of these rules.
    return grown / divisor if divisor else grown


def sweep(sample: Sample, truth: TrisTruth, heat: np.ndarray, thresholds: Sequence[float]) -> list[Overlap]:
    """The overlap that `judge` counts at each threshold of the divided heat; the heat is resized only once."""
    grown = Upsampled(heat, sample.size, align_corners=True)
    divisor = grown.largest() + _FLOOR
    return [overlap(_cut(grown, divisor, threshold), truth.mask) for threshold in thresholds]


def _place(heat: Upsampled, divisor: np.float32) -> int:
    """The first maximum after the division, which may make near values equal, or reverse the order if negative."""
    if divisor == 0:
        return 0  # Every value is negative, so every quotient is minus infinity, and the first pixel is the first.
    with np.errstate(over="ignore"):
        if divisor > 0:
            best = heat.largest()
            quotient = best / divisor
            return heat.first_largest(lowest_where(best, lambda value: value / divisor >= quotient))
        best = heat.smallest()
        quotient = best / divisor
        return heat.first_smallest(-lowest_where(-best, lambda value: -value / divisor >= quotient))


def _cut(heat: Upsampled, divisor: np.float32, threshold: float) -> np.ndarray:
    above = np.float32(threshold)
    if divisor == 0:
        return np.full(heat.values.shape, -np.inf > threshold)
    with np.errstate(over="ignore"):
        if divisor < 0:
            # The lower the value, the larger the quotient: what is at or above this is not mask.
            return ~heat.at_least(lowest_where(divisor * above, lambda value: not value / divisor > above))
        return heat.at_least(lowest_where(divisor * above, lambda value: value / divisor > above))
