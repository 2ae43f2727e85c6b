"""From a heat to the pixels of whose side one can be sure: 1 object, 0 background, 255 neither.

Only pairs of sure pixels teach the network. The heat is cut twice, high for the object and low for the background,
and a dense CRF cleans both cuts; what lies between them is unsure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from .crf import clean
from .items import Item, checked_heat, read_png, write_each

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
    """The sure pixels of one heat.

    Args:
        image: uint8 ``(H, W, 3)``.
        heat: float ``(H, W)``, divided by its maximum. All zero is allowed, and sure to be background.
        above: object where the heat is more than this and the CRF agrees.
        below: background where the CRF says so of the cut at this height, and of the other.
        engine: of :func:`~tris_model.irn.crf.clean`.
        device: of the same.

    Returns:
        uint8 ``(H, W)`` of 1, 0 and 255.

    Raises:
        DataError: the heat is of another size, or holds NaN.
    """
    heat = checked_heat(heat, image.shape[:2])
    cuts = np.stack([heat > np.float32(above), heat > np.float32(below)])
    high, low = clean(image, cuts, engine, device)
    return np.where(high, OBJECT, np.where(low, UNSURE, BACKGROUND)).astype(np.uint8)


def write_labels(
    items: Iterable[Item],
    folder: Path,
    *,
    engine: str = "auto",
    device: str | torch.device = "cpu",
    tell: Callable[[str], object] = lambda name: None,
) -> int:
    """Write :func:`confident` labels as ``<folder>/<name>.png``; those that are there are kept.

    Returns:
        How many were made now.
    """

    def make(item: Item) -> np.ndarray:
        image = item.image()
        heat = checked_heat(item.heat(), image.shape[:2], f"the heat of {item.name}")
        return confident(image, heat, engine=engine, device=device)

    return write_each(items, folder, make, tell)


def read_labels(folder: Path, name: str) -> np.ndarray:
    """uint8 ``(H, W)`` of 1, 0 and 255, as :func:`write_labels` wrote it.

    Raises:
        DataError: it is absent or broken.
    """
    return read_png(folder / f"{name}.png", frozenset((OBJECT, BACKGROUND, UNSURE)))
