"""The rules `wwbl`: points and boxes as WWbL (Shaharabany et al., NeurIPS 2022) evaluates grounding.

- Point: heat bilinear to the image's size (half-pixel centres, as OpenCV resizes), first maximum; the true box with
  both ends.
- Box: the heat as the method gives it, stretched to its range and printed in matplotlib's colours `cubehelix`; grey
  values below half of the largest are cut; a rectangle round every contour, those with the most grey in them by the
  suppression of `risbench.metrics.boxes`; and round these one box. Its sides are fractions of the heat's, the truth's
  of the image's. It counts from IoU 0.5 on, so 0.5 itself is a hit.
- Masks: WWbL has none; they are scored as under `clean`.

Queries whose box fills at most 5 % of the image, which WWbL leaves out, are left out by a split
(``referit_test_5pct``) and not by these rules.
Source: utils_grounding.py of github.com/talshaharabany/what-is-where-by-looking, described in words.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...masks import LazyMask
from ...records import Box, Prediction, Sample
from ..boxes import box_iou, first_box_iou, odd_suppression
from ..pointing import centre_of
from ..resize import Upsampled
from ..scores import Verdict
from . import clean
from .clean import CleanTruth, scaled, sweep, truth_of
from .lavt import above_of
from .mg import counted_from_half, located

__all__ = ["SIZE", "TEXT", "THRESHOLD", "judge", "scaled", "sweep", "truth_of", "union_box"]

TEXT = (
    "WWbL's points and boxes: heat bilinear with half-pixel centres; point: first maximum, box with closed ends; "
    "Accbox: one box round the contours above half of the heat's grey, IoU >= 0.5; masks as under clean; small boxes "
    "count, unless the split leaves them out"
)
THRESHOLD = clean.THRESHOLD
TAKES_CARD_THRESHOLD = True
SIZE = None
LOCATES = True
_DUMMY = Box(0.0, 0.0, 1.0, 1.0)


def judge(sample: Sample, truth: CleanTruth, prediction: Prediction, threshold: float | None) -> Verdict:
    """Score one checked prediction; ``threshold`` is in the heat's units (default 0.5) and cuts the mask alone."""
    point, mask, heat = prediction.point, prediction.mask, prediction.heat
    if heat is not None and (mask is None or point is None):
        grown = Upsampled(heat, sample.size, align_corners=False)
        if point is None:
            point = centre_of(grown.first_largest(), sample.size)
        if mask is None:
            mask = above_of(grown, THRESHOLD if threshold is None else threshold)
    if mask is None:
        raise ValueError("a checked prediction has a mask or a heat")
    mask = LazyMask.of_pixels(mask)
    iou = 0.0
    if truth.box is not None:
        if prediction.boxes is not None:
            iou = first_box_iou(prediction.boxes, truth.box)
        else:
            map_ = mask.pixels.astype(np.float32) if heat is None else heat
            iou = box_iou(_fractions(union_box(map_), map_.shape), _fractions(truth.box, sample.size))
    return located(truth, mask, point, counted_from_half(iou))


def union_box(heat: np.ndarray) -> Box:
    """The box round all boxes of a heat, in the heat's own pixels; one pixel, the first, for a heat without contrast.

    Args:
        heat: float32 ``(h, w)``.
    """
    import cv2

    low, high = float(heat.min()), float(heat.max())
    if not high > low:
        return _DUMMY
    unit = (heat.astype(np.float64) - low) / (high - low)
    grey = _greys()[np.minimum((unit * 256).astype(np.int64), 255)]
    _, cut = cv2.threshold(grey, int(0.5 * int(grey.max())), 255, cv2.THRESH_TOZERO)
    contours, _ = cv2.findContours(cut, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    rects = np.array([cv2.boundingRect(contour) for contour in contours], dtype=np.int64).reshape(-1, 4)
    if not len(rects):
        return _DUMMY
    x, y, width, height = rects.T
    sums = cv2.integral(cut)
    inside = sums[y + height, x + width] - sums[y, x + width] - sums[y + height, x] + sums[y, x]
    confidences = inside / (width * height) / 255.0
    kept = odd_suppression(rects, confidences)
    kept = kept[confidences[kept] > 0.5 * confidences[kept].max()]
    x, y, width, height = rects[kept].T
    ends = x.min(), y.min(), (x + width).max(), (y + height).max()
    return Box(*(float(end) for end in ends))


@lru_cache(maxsize=1)
def _greys() -> np.ndarray:
    """The grey value, uint8, of each of the 256 colours."""
    import cv2
    from matplotlib import colormaps  # here, since no other rules need it

    colours = (colormaps["cubehelix"](np.arange(256))[:, :3] * 255).astype(np.uint8)
    return cv2.cvtColor(colours[None], cv2.COLOR_RGB2GRAY)[0]


def _fractions(box: Box, size: tuple[int, ...]) -> Box:
    height, width = size[:2]
    return Box(box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height)
