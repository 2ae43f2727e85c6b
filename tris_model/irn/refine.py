"""``--set refine=crf``: a dense CRF fits the border of any method's heat to the image's colours.

A CRF needs a probability for each pixel. At the heat's threshold, where the mask would end, the probability is 1/2. It
rises linearly to 1 at the heat's maximum and falls linearly to 0 at its minimum, so that the heat's unit does not
matter. A heat from 0 to 1 with the threshold 0.5 is itself the probability of the object, and 1 minus it that of the
background.
"""

from __future__ import annotations

import numpy as np


def crf(image: np.ndarray, heats: np.ndarray, threshold: float) -> np.ndarray:
    """Refine heats; this is the entry point.

    Args:
        image: uint8 ``(H, W, 3)`` RGB.
        heats: float ``(K, H, W)``, for K texts about the image.
        threshold: of the heats, in their unit.

    Returns:
        bool ``(K, H, W)``. A heat that is nowhere above the threshold gives an empty mask. A heat that is everywhere
        above it gives a full mask.
    """
    from .crf import decide  # here, so that listing it needs no torch

    above = heats > threshold
    masks = above.copy()
    open_ones = [place for place, one in enumerate(above) if one.any() and not one.all()]
    if open_ones:
        masks[open_ones] = decide(image, np.stack([chances(heats[place], threshold) for place in open_ones]))
    return masks


def chances(heat: np.ndarray, threshold: float) -> np.ndarray:
    """The probability of the mask at each pixel, float32 ``(H, W)``.

    The heat has values on both sides of the threshold.
    """
    away = heat.astype(np.float64) - threshold
    # If nothing lies below the threshold, the values at the threshold are the minimum, and so certainly background.
    least = -np.finfo(np.float64).tiny
    below = np.minimum(away, least) / min(away.min(), least)
    return np.where(away > 0, 0.5 + 0.5 * away / away.max(), 0.5 - 0.5 * below).astype(np.float32)


crf.text = (  # pyright: ignore[reportFunctionMemberAccess] - what a result says of it
    "dense CRF (10 steps; near: 3, 1 px; alike: 4, 67 px, 3 levels), chance 1/2 at the threshold, 1 at the heat's "
    "maximum, 0 at its minimum"
)
