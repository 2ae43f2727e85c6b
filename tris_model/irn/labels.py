"""From a heat to confident labels: 1 object, 0 background, 255 unsure.

The network learns only from pairs of confident pixels. The heat is cut at a high threshold for the object and at a low
one for the background. A dense CRF cleans both cuts. Pixels between the two are unsure.
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
    """The confident labels of one heat, or of several heats of one image.

    Args:
        image: uint8 ``(H, W, 3)``.
        heat: float ``(H, W)``, divided by its maximum; an all-zero heat is all background. Or ``(K, H, W)``: heats are
            labelled separately, but the image is analysed once.
        above: a pixel is object if the heat exceeds this and the CRF agrees.
        below: a pixel is background if the CRF says so for the cut at this threshold and for the other cut.
        engine: see :func:`~tris_model.irn.crf.clean`.
        device: see the same function.

    Returns:
        uint8 with values 1, 0 and 255, the shape of ``heat``.

    Raises:
        DataError: the heat has another size, or contains NaN.
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
    """Write :func:`confident` labels as ``<folder>/<name>.png``; existing files are kept.

    Returns:
        The number of files written by this call.
    """

    def make(some: Sequence[Item]) -> np.ndarray:
        image = some[0].image()
        heats = heats_of(some, image.shape[:2])
        return confident(image, heats, above=above, below=below, engine=engine, device=device)

    return write_each(items, folder, make, tell)


def read_labels(folder: Path, name: str) -> np.ndarray:
    """Read labels that :func:`write_labels` wrote: uint8 ``(H, W)`` with values 1, 0 and 255.

    Raises:
        DataError: the file is missing or broken.
    """
    return read_png(folder / f"{name}.png", frozenset((OBJECT, BACKGROUND, UNSURE)))
