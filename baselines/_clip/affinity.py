"""CLIP-ES's class-aware attention affinity: a map spreads to the patches that attend to each other.

The table of affinities depends on the image alone. It is applied twice to a map instead of being squared, which is the
same and takes L^2 steps a map in place of L^3.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

ROUNDS = 3
LEVEL = 0.4  # of a map's maximum; what lies above makes up the boxes


def balanced(attention: Tensor) -> Tensor:
    """Affinities from the attention of patches to patches; the given table is used up.

    Args:
        attention: ``(L, L)``, not negative.

    Returns:
        Symmetric ``(L, L)``: columns, then rows, made to sum to 1, three times (Sinkhorn), and the mean with its
        transpose.
    """
    for _ in range(ROUNDS):
        for axis in (0, 1):
            attention.div_(attention.sum(axis, keepdim=True).clamp(min=torch.finfo(attention.dtype).tiny))
    return (attention + attention.T).mul_(0.5)


def carried(table: Tensor, maps: Tensor) -> Tensor:
    """Maps after two steps along the table, of what lies in their boxes.

    Args:
        table: ``(h * w, h * w)``, see :func:`balanced`.
        maps: ``(N, h, w)``, not negative.

    Returns:
        ``(N, h, w)``, of any range.
    """
    inside = torch.from_numpy(boxes(maps.cpu().numpy())).to(maps.device)
    start = (maps * inside).flatten(1).T
    return (table @ (table @ start)).T.reshape(maps.shape)


def boxes(maps: np.ndarray) -> np.ndarray:
    """Where any of the boxes lies that stand round a map's 8-connected parts above 0.4 of its maximum.

    A box holds the outermost cells of its part. The authors' boxes end before the last row and column of the map, so
    that a part at that border loses it; nothing in the paper asks for that, and it is not done here.

    Args:
        maps: float ``(N, h, w)``, not negative.

    Returns:
        bool ``(N, h, w)``; empty for a map of zeros.
    """
    found = np.zeros(maps.shape, bool)
    for one, inside in zip(maps, found, strict=True):
        parts, _ = ndimage.label(one > LEVEL * one.max(), np.ones((3, 3)))  # pyright: ignore[reportGeneralTypeIssues]
        for box in ndimage.find_objects(parts):
            inside[box] = True
    return found
