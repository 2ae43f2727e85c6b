"""How many patches an image is cut into, when it keeps its form."""

from __future__ import annotations

import numpy as np

PATCHES = 4096  # the most an image is cut into, 1024 x 1024 for patches of 16: tables grow with its square


def grid_of(size: tuple[int, ...], patch: int, longest: int | None, most: int | None = PATCHES) -> tuple[int, int]:
    """Patches down and across for an image.

    Args:
        size: of the image, ``(height, width)``.
        patch: pixels along a patch's side.
        longest: an image with a longer side is shrunk to it first.
        most: patches at most; an image that has more is shrunk, as a whole where its shape allows.
    """
    scale = 1.0 if longest is None else min(1.0, longest / max(size))
    # Rounded a little down, so that a side shrunk to a whole number of patches has no more than those.
    down, across = (max(1, int(np.ceil(side * scale / patch - 1e-9))) for side in size)
    if most is not None and down * across > most:
        shrink = (most / (down * across)) ** 0.5
        down, across = (max(1, int(side * shrink)) for side in (down, across))
        down, across = min(down, most // across) or 1, min(across, most // down) or 1
    return down, across
