"""The rules `clean`: a protocol without the quirks that other evaluation code has.

- Truth: the union of the parts, at the stored size; the box as annotated, in continuous pixels, half-open.
- Heat: bilinear to the image's size (half-pixel centres), mask where it exceeds the threshold of the method's card,
  0.5 if it names none.
- Point: the centre of the pixel of the first maximum, or the prediction's own.
- Box: the one round the mask's largest 8-connected component, or the first that the prediction brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...masks import LazyMask
from ...records import Box, Overlap, Prediction, Sample
from ..boxes import box_iou, first_box_iou
from ..components import component_box
from ..overlap import overlap
from ..pointing import centre_of, hits_box, hits_mask
from ..resize import Upsampled, bilinear
from ..scores import Scores, Verdict
from .lavt import above_of

TEXT = (
    "truth is the union of parts, at the image's size; heat bilinear with half-pixel centres, > the method's threshold "
    "(else 0.5); point: first maximum, half-open box; Accbox: box of the largest component"
)
THRESHOLD = 0.5
TAKES_CARD_THRESHOLD = True
SIZE = None
LOCATES = True


class CleanTruth(NamedTuple):
    """The true mask and the true box."""

    mask: LazyMask
    box: Box | None


def truth_of(sample: Sample) -> CleanTruth:
    """The union of the parts, and the box as annotated."""
    return CleanTruth(LazyMask.of_parts(sample.parts, sample.size), sample.box)


def judge(sample: Sample, truth: CleanTruth, prediction: Prediction, threshold: float | None) -> Verdict:
    """Score one checked prediction; ``threshold`` is in the heat's units (default 0.5)."""
    point, mask = prediction.point, prediction.mask
    if prediction.heat is not None and (mask is None or point is None):
        heat = Upsampled(prediction.heat, sample.size, align_corners=False)
        if point is None:
            point = centre_of(heat.first_largest(), sample.size)
        if mask is None:
            mask = above_of(heat, THRESHOLD if threshold is None else threshold)
    if mask is None:
        raise ValueError("a checked prediction has a mask or a heat")
    mask = LazyMask.of_pixels(mask)
    shared = overlap(mask, truth.mask)
    iou = 0.0
    if truth.box is not None:
        if prediction.boxes is not None:
            iou = first_box_iou(prediction.boxes, truth.box)
        elif (found := component_box(mask)) is not None:
            iou = box_iou(found, truth.box)
    hit_box = None if point is None else truth.box is not None and hits_box(point, truth.box)
    hit_mask = None if point is None else hits_mask(point, truth.mask)
    return Verdict(Scores(shared.intersection, shared.union, hit_box, hit_mask, iou), mask, point)


def scaled(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A heat resized to ``size``, float32, in its own unit, which is also the threshold's."""
    return bilinear(heat, size, align_corners=False)


def sweep(sample: Sample, truth: CleanTruth, heat: np.ndarray, thresholds: Sequence[float]) -> list[Overlap]:
    """The overlap that `judge` counts at each threshold, in the heat's units; the heat is resized only once."""
    grown = Upsampled(heat, sample.size, align_corners=False)
    return [overlap(above_of(grown, threshold), truth.mask) for threshold in thresholds]
