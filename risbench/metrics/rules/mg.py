"""The rules `mg`: points and boxes as MG (Akbari et al., CVPR 2019) evaluates grounding.

- Point: heat bilinear to the image's size (half-pixel centres, as OpenCV resizes), first maximum; the true box with
  both ends.
- Box: local maxima of the heat as the method gives it, above 0.3 of its range; round each the 4-connected region above
  0.3 of the heat at the maximum; of the best three those that do not lie in one another (over 0.6 of their own area),
  nor fill 90 % of the image; and round these one box. It counts from IoU 0.5 on, so 0.5 itself is a hit.
- Masks: MG has none; they are scored as under `clean`.

Queries whose box fills less than 5 % of the image, which MG leaves out, are left out by a split
(``referit_test_5pct``) and not by these rules. Source: the evaluation of github.com/hassanhub/MultiGrounding at
b7bdd35, described in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...masks import LazyMask
from ...records import Box, Prediction, Sample
from ..boxes import box_iou, first_box_iou
from ..overlap import overlap
from ..pointing import centre_of, hits_box_pixels, hits_mask
from ..resize import Upsampled, bilinear
from ..scores import Scores, Verdict
from . import clean
from .clean import CleanTruth, scaled, sweep, truth_of
from .lavt import above_of

__all__ = ["SIZE", "TEXT", "THRESHOLD", "counted_from_half", "grown_box", "judge", "scaled", "sweep", "truth_of"]

TEXT = (
    "MG's points and boxes: heat bilinear with half-pixel centres; point: first maximum, box with closed ends; Accbox: "
    "one box round the regions of the best three local maxima, IoU >= 0.5; masks as under clean; small boxes count, "
    "unless the split leaves them out"
)
THRESHOLD = clean.THRESHOLD
TAKES_CARD_THRESHOLD = True
SIZE = None
LOCATES = True
_PEAK = 0.3  # of the heat's range
_REGION = 0.3  # of the heat at the maximum
_BEST = 3
_INSIDE = 0.6  # of a box's own area
_LARGEST = 0.9  # of the image


def judge(sample: Sample, truth: CleanTruth, prediction: Prediction, threshold: float | None) -> Verdict:
    """Score one checked prediction; ``threshold`` is in the heat's units (default 0.5) and cuts the mask alone."""
    point, mask, heat = prediction.point, prediction.mask, prediction.heat
    grown = None if heat is None else Upsampled(heat, sample.size, align_corners=False)
    if grown is not None and point is None:
        point = centre_of(grown.first_largest(), sample.size)
    if mask is None:
        if grown is None:
            raise ValueError("a checked prediction has a mask or a heat")
        mask = above_of(grown, THRESHOLD if threshold is None else threshold)
    mask = LazyMask.of_pixels(mask)
    iou = 0.0
    if truth.box is not None:
        if prediction.boxes is not None:
            iou = first_box_iou(prediction.boxes, truth.box)
        elif (found := grown_box(mask.pixels.astype(np.float32) if heat is None else heat, sample.size)) is not None:
            iou = box_iou(found, truth.box)
    return located(truth, mask, point, counted_from_half(iou))


def located(truth: CleanTruth, mask: LazyMask, point: tuple[float, float] | None, iou: float) -> Verdict:
    """The verdict on a mask, a point and the IoU of a box, where box ends are closed."""
    shared = overlap(mask, truth.mask)
    hit_box = None if point is None else truth.box is not None and hits_box_pixels(point, truth.box)
    hit_mask = None if point is None else hits_mask(point, truth.mask)
    scores = Scores(shared.intersection, shared.union, hit_box, hit_mask, iou)
    return Verdict(scores, mask, point)


def counted_from_half(iou: float) -> float:
    """An IoU of exactly 0.5 as the next larger number: Accbox compares with >, these evaluations with >=."""
    return float(np.nextafter(0.5, 1)) if iou == 0.5 else iou


class GrownRegion(NamedTuple):
    """A region's corners, both within it, and the heat at its maximum."""

    box: Box
    heat: float


def grown_box(heat: np.ndarray, size: tuple[int, int]) -> Box | None:
    """The one box round the regions that grow from a heat's local maxima.

    Args:
        heat: float32 ``(h, w)``, as the method gives it.
        size: of the image.

    Returns:
        In pixels of the image, corners within the regions; None where there is none, as for a heat without contrast.
    """
    low, high = float(heat.min()), float(heat.max())
    if not high > low:
        return None
    unit = ((heat.astype(np.float64) - low) / (high - low)).astype(np.float32)
    whole = bilinear(unit, size, align_corners=False)
    kept = _apart(_regions(unit, whole))
    boxes = [found.box for found in kept if found.heat > 0 and found.box.area < _LARGEST * size[0] * size[1]]
    if not boxes:
        return None
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return Box(min(x0), min(y0), max(x1), max(y1))


def _regions(unit: np.ndarray, whole: np.ndarray) -> list[GrownRegion]:
    """The regions round the best local maxima, the best first."""
    import cv2
    from scipy.ndimage import maximum_filter

    peaks = np.argwhere((unit == maximum_filter(unit, size=3, mode="constant")) & (unit > _PEAK * unit.max()))
    factors = np.array(whole.shape) / unit.shape
    places = ((peaks + 0.5) * factors).astype(np.int64)
    heats = whole[places[:, 0], places[:, 1]]
    found = []
    for place in np.argsort(-heats, kind="stable")[:_BEST].tolist():
        row, column = places[place].tolist()
        above = (whole > _REGION * heats[place]).astype(np.uint8)
        if not above[row, column]:  # a maximum of a coarse map may lie beside the pixel in its middle
            continue
        _, labels, table, _ = cv2.connectedComponentsWithStats(above, connectivity=4)
        x, y, width, height, _ = table.tolist()[int(labels[row, column])]
        box = Box(float(x), float(y), float(x + width - 1), float(y + height - 1))
        found.append(GrownRegion(box, float(heats[place])))
    return found


def _apart(regions: Sequence[GrownRegion]) -> list[GrownRegion]:
    """Those that are left when of each two that lie in one another the one goes that lies more in the other."""
    gone: set[int] = set()
    for first in range(len(regions)):
        for second in range(first + 1, len(regions)):
            if first in gone or second in gone:
                continue
            a, b = regions[first].box, regions[second].box
            shared = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area
            of_first, of_second = (shared / box.area if box.area else 1.0 for box in (a, b))
            if max(of_first, of_second) > _INSIDE:
                gone.add(first if of_first > of_second else second)
    return [region for place, region in enumerate(regions) if place not in gone]
