"""The rules `lavt`: IoU at 480 x 480, as LAVT and the fully supervised line of work evaluate.

- Truth: pixels covered by exactly one part, resized to 480 x 480 with PIL's nearest.
- Heat: a heat of 480 x 480 is used as it is; any other is resized to that size, bilinear with half-pixel centres. The
  mask is where it is ``> 0.5``. Masks are resized with PIL's nearest. A network that enlarges its own heat must return
  it at 480 x 480. LAVT does this inside the model, with aligned corners, so resizing a smaller heat here would differ.
- PointIt, PointM and Accbox are not part of these rules.
Source: github.com/yz93/LAVT-RIS, test.py and transforms.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...masks import LazyMask
from ...records import Overlap, Prediction, Sample
from ..floats import lowest_where
from ..overlap import overlap
from ..resize import Upsampled, bilinear
from ..scores import Scores, Verdict

TEXT = (
    "truth where exactly one part covers, nearest to 480x480; a heat of 480x480 as it is, any other bilinear to "
    "480x480 with half-pixel centres (a network that enlarges its own heat gives it at 480x480), > 0.5; masks nearest; "
    "no PointIt, PointM, Accbox"
)
THRESHOLD = 0.5
TAKES_CARD_THRESHOLD = False
SIZE = (480, 480)
LOCATES = False


class LavtTruth(NamedTuple):
    """The true mask, of 480 x 480."""

    mask: LazyMask


def truth_of(sample: Sample) -> LavtTruth:
    """The truth at 480 x 480."""
    return LavtTruth(nearest(LazyMask.of_parts(sample.parts, sample.size, once=True)))


def judge(sample: Sample, truth: LavtTruth, prediction: Prediction, threshold: float | None) -> Verdict:
    """Score one checked prediction; ``threshold`` is in the heat's units (default 0.5)."""
    if prediction.mask is not None:
        mask = original = LazyMask.of_pixels(prediction.mask)
        if mask.shape != SIZE:
            mask = nearest(mask)
    elif prediction.heat is not None:
        above = THRESHOLD if threshold is None else threshold
        mask = original = LazyMask.of_pixels(above_of(Upsampled(prediction.heat, SIZE, align_corners=False), above))
    else:
        raise ValueError("a checked prediction has a mask or a heat")
    shared = overlap(mask, truth.mask)
    return Verdict(Scores(shared.intersection, shared.union, None, None, None), original, None)


def scaled(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A heat resized to ``size``, float32, in its own unit, which is also the threshold's."""
    return bilinear(heat, size, align_corners=False)


def sweep(sample: Sample, truth: LavtTruth, heat: np.ndarray, thresholds: Sequence[float]) -> list[Overlap]:
    """The overlap that `judge` counts at each threshold, in the heat's units; the heat is resized only once."""
    grown = Upsampled(heat, SIZE, align_corners=False)
    return [overlap(above_of(grown, threshold), truth.mask) for threshold in thresholds]


def nearest(mask: np.ndarray | LazyMask) -> LazyMask:
    """A mask at 480 x 480 by PIL's nearest neighbour."""
    from PIL import Image  # imported here, so that `--help` does not load it

    picture = Image.fromarray(np.asarray(mask).view(np.uint8)).resize(SIZE, Image.Resampling.NEAREST)
    return LazyMask.of_pixels(np.asarray(picture).view(np.bool_))


def above_of(heat: Upsampled, threshold: float) -> np.ndarray:
    """Where the heat's float32 values exceed a float64 threshold."""
    return heat.at_least(lowest_where(np.float32(threshold), lambda value: float(value) > threshold))
