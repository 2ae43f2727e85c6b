"""Overlap: how many pixels a predicted and a true mask share.

mIoU is the mean over expressions of intersection over union; oIoU the sum of intersections over the sum of unions;
P@k is the share of expressions with IoU at or above k. Two empty masks score 0. Source: the referring segmentation
literature since RefCOCO (Yu et al., 2016). Papers mean different averages by "IoU", so it is always named here.
"""

from __future__ import annotations

import numpy as np

from ..masks import LazyMask
from ..records import Overlap


def overlap(prediction: np.ndarray | LazyMask, truth: np.ndarray | LazyMask) -> Overlap:
    """Count the pixels in both masks and in either.

    Args:
        prediction: bool ``(H, W)``, or a lazy mask.
        truth: of the same size.
    """
    one, other = LazyMask.of_pixels(prediction), LazyMask.of_pixels(truth)
    both = one.shared_with(other)
    return Overlap(both, one.area + other.area - both)
