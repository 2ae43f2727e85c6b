"""Overlap: how many pixels a predicted and a true mask share.

mIoU is the mean over expressions of intersection over union; oIoU the sum of intersections over the sum of unions;
P@k is the share of expressions with IoU at or above k. Two empty masks score 0. Source: the referring segmentation
literature since RefCOCO (Yu et al., 2016). Papers mean different averages by "IoU", so it is always named here.
"""

from __future__ import annotations

import numpy as np

from ..records import Overlap


def overlap(prediction: np.ndarray, truth: np.ndarray, truth_area: int | None = None) -> Overlap:
    """Count the pixels in both masks and in either.

    Args:
        prediction: bool ``(H, W)``.
        truth: bool ``(H, W)``.
        truth_area: the truth's number of pixels, if known.
    """
    both = int(np.count_nonzero(prediction & truth))
    if truth_area is None:
        truth_area = int(np.count_nonzero(truth))
    return Overlap(both, int(np.count_nonzero(prediction)) + truth_area - both)
