"""The number of patches of an image that keeps its aspect ratio."""

from __future__ import annotations

import numpy as np

PATCHES = 4096  # the most an image is cut into, 1024 x 1024 for patches of 16: tables grow with its square


def grid_of(size: tuple[int, ...], patch: int, longest: int | None, most: int | None = PATCHES) -> tuple[int, int]:
    """Patches down and across for an image.

    Args:
        size: size of the image, ``(height, width)``.
        patch: side of a patch in pixels.
        longest: in pixels; an image with a longer side is first shrunk to this.
        most: largest number of patches; an image with more is shrunk, with its aspect ratio kept if its shape allows
            it.
    """
    scale = 1.0 if longest is None else min(1.0, longest / max(size))
    # Rounded a little down, so that a side shrunk to a whole number of patches has no more than those.
    down, across = (max(1, int(np.ceil(side * scale / patch - 1e-9))) for side in size)
    if most is not None and down * across > most:
        shrink = (most / (down * across)) ** 0.5
        down, across = (max(1, int(side * shrink)) for side in (down, across))
        down, across = min(down, most // across) or 1, min(across, most // down) or 1
    return down, across
