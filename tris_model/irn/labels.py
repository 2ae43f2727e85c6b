"""From a heat to the pixels of whose side one can be sure: 1 object, 0 background, 255 neither.

Only pairs of sure pixels teach the network. The heat is cut twice, high for the object and low for the background,
and a dense CRF cleans both cuts; what lies between them is unsure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from .crf import clean
from .items import Item, checked_heat, heats_of, read_png, write_each

OBJECT, BACKGROUND, UNSURE = 1, 0, 255
OBJECT_ABOVE, BACKGROUND_BELOW = 0.3, 0.1


def confident(
    image: np.ndarray,
    heat: np.ndarray,
    *,
    above: float = OBJECT_ABOVE,
    below: float = BACKGROUND_BELOW,
    engine: str = "auto",
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """The sure pixels of a heat, or of several of one image.

    Args:
        image: uint8 ``(H, W, 3)``.
        heat: float ``(H, W)``, divided by its maximum. All zero is allowed, and sure to be background. Or
            ``(K, H, W)``: each alone, but the image is analysed once.
        above: object where the heat is more than this and the CRF agrees.
        below: background where the CRF says so of the cut at this height, and of the other.
        engine: of :func:`~tris_model.irn.crf.clean`.
        device: of the same.

    Returns:
        uint8 of 1, 0 and 255, the shape of ``heat``.

    Raises:
        DataError: the heat is of another size, or holds NaN.
    """
    heats = np.stack([checked_heat(one, image.shape[:2]) for one in (heat if heat.ndim == 3 else heat[None])])
    cuts = np.concatenate([heats > np.float32(above), heats > np.float32(below)])
    high, low = clean(image, cuts, engine, device).reshape(2, *heat.shape)
    return np.where(high, OBJECT, np.where(low, UNSURE, BACKGROUND)).astype(np.uint8)


def write_labels(
    items: Iterable[Item],
    folder: Path,
    *,
    above: float = OBJECT_ABOVE,
    below: float = BACKGROUND_BELOW,
    engine: str = "auto",
    device: str | torch.device = "cpu",
    tell: Callable[[str], object] = lambda name: None,
) -> int:
    """Write :func:`confident` labels as ``<folder>/<name>.png``; those that are there are kept.

    Returns:
        How many were made now.
    """

    def make(some: Sequence[Item]) -> np.ndarray:
        image = some[0].image()
        heats = heats_of(some, image.shape[:2])
        return confident(image, heats, above=above, below=below, engine=engine, device=device)

    return write_each(items, folder, make, tell)


def read_labels(folder: Path, name: str) -> np.ndarray:
    """uint8 ``(H, W)`` of 1, 0 and 255, as :func:`write_labels` wrote it.

    Raises:
        DataError: it is absent or broken.
    """
    return read_png(folder / f"{name}.png", frozenset((OBJECT, BACKGROUND, UNSURE)))
