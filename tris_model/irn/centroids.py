"""Divide an image into parts by displacements: cells whose displacements lead to the same place are one part.

So two objects under one heat are spread separately.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from risbench.errors import DataError

STEPS = 300
STILL = 2.5  # cells; a displacement shorter than this points at its own place


def follow(displacements: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """The cell that each cell reaches by following displacements.

    Args:
        displacements: ``(2, h, w)``, (down, right) in cells; between cells they are interpolated.
        steps: number of moves; each move adds the displacement at the current place.

    Returns:
        int64 ``(2, h, w)``, (row, column), inside the image.

    Raises:
        DataError: the displacements are NaN or infinite, or have another shape.
    """
    if displacements.ndim != 3 or displacements.shape[0] != 2 or 0 in displacements.shape:
        raise DataError(f"displacements must be (2, h, w), not {displacements.shape}")
    if not np.isfinite(displacements).all():
        raise DataError("the displacements hold NaN or infinite values: the network's training has diverged")
    field = np.ascontiguousarray(displacements, np.float32)
    height, width = field.shape[1:]
    place = np.indices((height, width), np.float32).reshape(2, -1)
    flat = field.reshape(2, -1)
    last = np.array([[height - 1], [width - 1]], np.float32)
    for _ in range(steps):
        low, high = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
        down, right = place - low
        moved = place + (
            flat[:, high[0] * width + high[1]] * (down * right)
            + flat[:, low[0] * width + high[1]] * ((1 - down) * right)
            + flat[:, high[0] * width + low[1]] * (down * (1 - right))
            + flat[:, low[0] * width + low[1]] * ((1 - down) * (1 - right))
        )
        np.clip(moved, 0, last, out=moved)
        if np.array_equal(moved, place):  # then it stays so
            break
        place = moved
    return np.round(place).astype(np.int64).reshape(2, height, width)


def split(displacements: np.ndarray, steps: int = STEPS, still: float = STILL) -> np.ndarray:
    """The number of the part that each cell belongs to.

    Cells that reach the same 4-connected region of short displacements are one part. All cells that reach no such
    region are one more part.

    Args:
        displacements: ``(2, h, w)``.
        steps: see :func:`follow`.
        still: the length below which a displacement is short.

    Returns:
        int64 ``(h, w)``, consecutive numbers from 0.
    """
    ends = follow(displacements, steps)
    short = np.sqrt((displacements.astype(np.float32) ** 2).sum(0)) < still
    regions, _ = ndimage.label(short)  # pyright: ignore[reportGeneralTypeIssues]
    _, parts = np.unique(regions[ends[0], ends[1]], return_inverse=True)
    return parts.reshape(short.shape)
