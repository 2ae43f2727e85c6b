"""Masks as pixels: bool ``(H, W)``, to and from run-length codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..records import RLE, Box
from .lazy import LazyMask


def decode(rle: Mapping[str, Any]) -> np.ndarray:
    """The mask of a checked code: bool ``(H, W)``, row-major.

    Raises:
        MaskError: the code is malformed, with the reason.
    """
    return LazyMask.of_code(rle).pixels


def encode(mask: np.ndarray | LazyMask) -> RLE:
    """The code of a bool ``(H, W)`` mask.

    Raises:
        MaskError: the mask has another form.
    """
    return LazyMask.of_pixels(mask).code


def union_of(parts: Sequence[RLE], size: tuple[int, int]) -> np.ndarray:
    """The mask covered by any part: bool ``(H, W)``."""
    return LazyMask.of_parts(parts, size).pixels


def at_size(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at an image's size by the nearest pixel; rules with a size of their own (``lavt``) store it at that size.

    Args:
        mask: bool ``(h, w)``.
        size: ``(height, width)`` of the image.
    """
    if mask.shape == size:
        return mask
    rows = (np.arange(size[0]) * mask.shape[0]) // size[0]
    columns = (np.arange(size[1]) * mask.shape[1]) // size[1]
    return mask[rows][:, columns]


def box_of(mask: np.ndarray) -> Box | None:
    """The smallest box round a mask, half-open at its right and lower side; None for an empty mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
