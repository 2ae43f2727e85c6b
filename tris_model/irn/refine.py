"""``--set refine=crf``: the border of any method's heat drawn along the image's colours by a dense CRF.

A CRF wants a chance for each pixel. A heat has a threshold, where the mask would end: there the chance is 1/2. From
there it rises in a straight line to 1 at the heat's maximum and falls to 0 at its minimum, so that the heat's unit does
not matter. A heat from 0 to 1 with the threshold 0.5 is itself the chance, and 1 minus it that of the background.
"""

from __future__ import annotations

import numpy as np


def crf(image: np.ndarray, heats: np.ndarray, threshold: float) -> np.ndarray:
    """The entry point.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        heats: float ``(K, H, W)``, of K texts about the image.
        threshold: where a heat becomes mask, in its unit.

    Returns:
        bool ``(K, H, W)``. A heat that is nowhere above the threshold gives an empty mask, one that is nowhere at or
        below it a full one.
    """
    from .crf import decide  # here, so that listing it needs no torch

    above = heats > threshold
    masks = above.copy()
    open_ones = [place for place, one in enumerate(above) if one.any() and not one.all()]
    if open_ones:
        masks[open_ones] = decide(image, np.stack([chances(heats[place], threshold) for place in open_ones]))
    return masks


def chances(heat: np.ndarray, threshold: float) -> np.ndarray:
    """The chance of the mask at each pixel, float32 ``(H, W)``, of a heat that lies on both sides of the threshold."""
    away = heat.astype(np.float64) - threshold
    # Where nothing lies below the threshold, what lies at it is the minimum, and so surely background.
    least = -np.finfo(np.float64).tiny
    below = np.minimum(away, least) / min(away.min(), least)
    return np.where(away > 0, 0.5 + 0.5 * away / away.max(), 0.5 - 0.5 * below).astype(np.float32)


crf.text = (  # pyright: ignore[reportFunctionMemberAccess] - what a result says of it
    "dense CRF (10 steps; near: 3, 1 px; alike: 4, 67 px, 3 levels), chance 1/2 at the threshold, 1 at the heat's "
    "maximum, 0 at its minimum"
)
