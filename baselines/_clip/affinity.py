"""CLIP-ES's class-aware attention affinity: it spreads a map along the attention between patches.

The table of affinities depends only on the image. The paper squares it. Here it is applied twice to each map, which
gives the same result in L^2 steps per map instead of L^3.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

ROUNDS = 3
LEVEL = 0.4  # of a map's maximum; what lies above makes up the boxes


def balanced(attention: Tensor) -> Tensor:
    """Affinities from the attention between patches; the given table is overwritten.

    Args:
        attention: ``(L, L)``, not negative.

    Returns:
        Symmetric ``(L, L)``. Columns, then rows, are scaled to sum to 1, three times (Sinkhorn); then the mean with the
        transpose is taken.
    """
    for _ in range(ROUNDS):
        for axis in (0, 1):
            attention.div_(attention.sum(axis, keepdim=True).clamp(min=torch.finfo(attention.dtype).tiny))
    return (attention + attention.T).mul_(0.5)


def carried(table: Tensor, maps: Tensor) -> Tensor:
    """Maps after two steps along the table; only the part inside their boxes spreads.

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
    """The union of the boxes round a map's 8-connected components above 0.4 of its maximum.

    A box includes the outermost cells of its component. The authors' boxes end before the last row and column of the
    map, so a component at that border loses them. The paper does not ask for this, and it is not done here.

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
